"""`keyvigil serve` as a command: all mistakes are reported, and a missed scan is made."""

import base64
import json
import signal
import tempfile
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest

from scanner.cli.serve import private_folder
from scanner.errors import UsageError
from tests.cli.running import COMMAND, keyvigil, sandbox
from tests.daemon.running import running
from tests.openai_api.scripted import KEY
from tests.store.making import a_history, a_store
from tests.support.prose import Prose
from tests.support.waiting import PATIENCE

NAME = "sandbox-7"
TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (
            (),
            {"OPENAI_ADMIN_KEY": ""},
            "error: The admin key is missing: OPENAI_ADMIN_KEY is not set.",
        ),
        (("--cron", "30 25 * * *"), {}, "error: --cron '30 25 * * *': character 4: the hour 25 is"),
        (("--time-zone", "Berlin"), {}, "error: --time-zone: there is no time zone 'Berlin'; did"),
        ((), {"KEYVIGIL_CRON": "daily"}, "error: KEYVIGIL_CRON 'daily': character 6: a schedule"),
        (("--policy", "basline"), {}, "error: There is no policy 'basline'; did you mean"),
        (
            ("--config", "none.yaml"),
            {},
            "error: The settings file none.yaml cannot be read: No such file",
        ),
        (("--listen", "8080"), {}, "error: --listen 8080 is not HOST:PORT."),
        (("--listen", "192.0.2.1:0"), {}, "error: keyvigil serve cannot listen on 192.0.2.1:0: "),
        (("--reports", "."), {}, "error: KEYVIGIL_REPORTS_TOKEN is not set, and the reports name"),
        (
            ("--reports", "keyvigil.yaml"),
            {"KEYVIGIL_REPORTS_TOKEN": TOKEN},
            "error: --reports keyvigil.yaml is not a folder.",
        ),
        (
            ("--output", "htm=x"),
            {},
            "error: --output htm=x: there is no format 'htm'; did you mean",
        ),
        (("--output", "json=-"), {}, "error: --output: keyvigil serve "),
        (
            (),
            {"KEYVIGIL_KEEP": "x", "KEYVIGIL_STORE": "h.db"},
            "error: KEYVIGIL_KEEP must be a duration from 1d",
        ),
        (("--store", "."), {}, "error: The history cannot be stored: . is a folder."),
        (
            ("--store", "keyvigil.yaml/history.db"),
            {},
            "error: The history cannot be stored: keyvigil.yaml/history.db cannot be written: ",
        ),
        pytest.param(
            ("--store", "/proc/x/history.db"),
            {},
            "error: The history cannot be stored: /proc/x/history.db cannot be written: ",
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc"),
        ),
        ((), {"KEYVIGIL_CRN": "x"}, "error: The environment variable KEYVIGIL_CRN is not"),
        (
            (),
            {"KEYVIGIL_WEBHOOK_URL": "http://127.0.0.1:9/x", "KEYVIGIL_STORE": "h.db"},
            "error: KEYVIGIL_WEBHOOK_SECRET is not set;",
        ),
        (
            (),
            {"KEYVIGIL_SLACK_WEBHOOK": "http://127.0.0.1:9/x"},
            "error: --store none cannot be combined with alerts",
        ),
        (
            (),
            {"KEYVIGIL_PING_URL": "ftp://x"},
            "error: KEYVIGIL_PING_URL is not a valid https address.",
        ),
    ],
)
def test_settings_that_cannot_work_are_one_clear_message_at_the_start(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    (tmp_path / "keyvigil.yaml").write_text("{}")
    ran = keyvigil("serve", *arguments, cwd=tmp_path, env={"OPENAI_ADMIN_KEY": KEY, **env})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(said)
    assert all(line.startswith(("error: ", "help: ")) for line in ran.err.splitlines())
    assert [path.name for path in tmp_path.iterdir()] == ["keyvigil.yaml"]


def test_the_error_of_a_missing_temporary_folder_has_its_path_and_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prose: Prose
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(gone)])
    with pytest.raises(UsageError) as nowhere, private_folder():
        pass
    monkeypatch.setattr(tempfile, "tempdir", str(gone))
    with pytest.raises(UsageError) as refused, private_folder():
        pass
    for one in (nowhere, refused):
        assert str(gone) in str(one.value)
        assert "TMPDIR" in (one.value.help or "")
        prose(f"{one.value}\n{one.value.help}")


def test_mistakes_in_the_settings_are_all_printed_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text("schedule:\n  cron: 30 2 *\n  jitter: 1d\n")
    ran = keyvigil("serve", cwd=tmp_path, env={"OPENAI_ADMIN_KEY": KEY})
    assert ran.code == 2
    first, second, total = ran.err.splitlines()
    assert first.startswith("keyvigil.yaml:2:9: 'cron': character 7: a schedule has five fields")
    assert second.startswith("keyvigil.yaml:3:11: 'jitter' ")
    assert total.startswith("error: 2 mistakes in the settings")


@pytest.mark.slow
def test_a_night_that_was_missed_is_scanned_at_the_start_with_the_options_it_was_given(
    tmp_path: Path,
) -> None:
    store, out = tmp_path / "history.db", tmp_path / "out"
    (tmp_path / "keyvigil.yaml").write_text("{}")
    history, at = a_store(str(store)), datetime.now(UTC)
    with history.hold(NAME) as lease:
        before = a_history(at - timedelta(days=1), organization=NAME)
        history.record(lease, before, b"seen")
    an_hour_ago = at - timedelta(hours=1)
    options = [
        f"--cron={an_hour_ago:%M %H} * * *",
        "--listen=127.0.0.1:0",
        "--log-format=json",
        f"--output=html={out / 'report.html'}",
        "--redact-emails",
        "--policy=admin-keys",
        f"--reports={out}",
    ]
    with (
        sandbox("--projects", "3") as settings,
        running(
            [*COMMAND, "serve", *options],
            {**settings, "KEYVIGIL_STORE": str(store), "KEYVIGIL_REPORTS_TOKEN": TOKEN},
            cwd=tmp_path,
        ) as run,
    ):
        assert run.until("reports_missing")["folder"] == str(out)
        due = run.until("catching_up")["due"]
        assert due == f"{an_hour_ago:%Y-%m-%dT%H:%M:00Z}"
        ended = run.until("run_ended")
        assert (ended["outcome"], ended["exit_code"]) == ("done", 0)
        connection = HTTPConnection("127.0.0.1", run.until("listening")["port"], timeout=PATIENCE)
        password = base64.b64encode(f"x:{TOKEN}".encode()).decode()
        headers = {"Authorization": f"Basic {password}"}
        connection.request("GET", "/reports/report.html", headers=headers)
        page = connection.getresponse().read()
        connection.close()
        assert run.stop(signal.SIGTERM) == 0
        assert not run.other
        assert TOKEN not in json.dumps(run.events)
    again = [*COMMAND, "serve", *options[:3], options[-1]]
    env = {**settings, "KEYVIGIL_STORE": str(store), "KEYVIGIL_REPORTS_TOKEN": TOKEN}
    with running(again, env) as run:
        run.until("up_to_date")
        assert run.count("reports_missing") == 0
        assert run.metrics(TOKEN)[f"keyvigil_keys{{{NAME}}}"] > 0
        assert run.stop(signal.SIGTERM) == 0
    assert page == (out / "report.html").read_bytes()
    nights = history.nights(NAME, 10)
    assert [night.policies for night in nights[1:]] == [("admin-keys",)]


@pytest.mark.slow
def test_ctrl_c_stops_it_with_the_code_of_one_who_was_interrupted(tmp_path: Path) -> None:
    env = {"OPENAI_ADMIN_KEY": KEY, "KEYVIGIL_LOG_FORMAT": "json"}
    with running([*COMMAND, "serve", "--listen", "127.0.0.1:0"], env, cwd=tmp_path) as run:
        run.until("no_history")
        assert run.stop(signal.SIGINT) == 130
        assert [one["event"] for one in run.events][-2:] == ["stopping", "stopped"]


@pytest.mark.slow
def test_a_folder_of_reports_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {
        "OPENAI_ADMIN_KEY": KEY,
        "KEYVIGIL_LOG_FORMAT": "json",
        "KEYVIGIL_REPORTS": "file/out",
        "KEYVIGIL_REPORTS_TOKEN": TOKEN,
    }
    with running([*COMMAND, "serve", "--listen", "127.0.0.1:0"], env, cwd=tmp_path) as run:
        told = run.until("reports_unreadable", folder=str(tmp_path / "file" / "out"))
        assert told["reason"] == "The folder of reports cannot be read: Not a directory."
        assert run.stop(signal.SIGTERM) == 0
        assert run.count("reports_missing") == 0


@pytest.mark.slow
def test_settings_by_which_every_scan_would_fail_are_not_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "keyvigil.yaml"
    two = "{ name: %s, key_env: OPENAI_ADMIN_KEY, outputs: { html: %s.html } }"
    file.write_text(f"organizations: [{two % ('a', 'a')}, {two % ('b', 'b')}]\n")
    env = {"OPENAI_ADMIN_KEY": KEY, "KEYVIGIL_LOG_FORMAT": "json"}
    with running([*COMMAND, "serve", "--listen", "127.0.0.1:0"], env, cwd=tmp_path) as run:
        run.until("no_history")
        broken = {
            f"[{two % ('a', 'same')}, {two % ('b', 'same')}]": "same.html",
            "[{ name: a, key_env: NOWHERE }]": "NOWHERE",
        }
        for number, (organizations, problem) in enumerate(broken.items(), start=1):
            file.write_text(f"organizations: {organizations}\n")
            run.process.send_signal(signal.SIGHUP)
            assert problem in run.until("settings_invalid", number)["problem"]
            run.until("reload_failed", number)
        assert run.stop(signal.SIGTERM) == 0
