"""`keyvigil scan --combined`: one report of all organizations, whatever their outcome."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scanner.sandbox.app import SANDBOX_KEY
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.server import serving
from tests.cli.examined import examined
from tests.cli.running import COMMAND, Ran, environment, keyvigil
from tests.cli.test_many import ENV, Watched, app, scan, settings, two
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow
COMBINED = ("--combined", "json=out/all.json")
SINCE = "2020-01-01T00:00:00Z"
MORE = """\
  - { name: no key, key_env: NOT_SET }
  - { name: no answer, key_env: A_KEY, base_url: "http://127.0.0.1:9/v1" }
"""


def overview(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "all.json").read_text())
    assert found["schema"] == "keyvigil.overview/1"
    return found


def states(folder: Path) -> list[tuple[str, str, int]]:
    rows = overview(folder)["organizations"]
    return [(row["name"], row["state"], row["exit_code"]) for row in rows]


def report_of(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / f"{name}.json").read_text())
    return found


def agree(row: dict[str, Any], own: dict[str, Any]) -> None:
    totals = {name: count for name, count in own["totals"].items() if name != "projects"}
    assert {name: row[name] for name in totals} == totals
    assert row["scan_id"] == own["scan"]["id"]
    if own["history"]["previous"]:
        counts = own["history"]["states"]
        assert (row["new"], row["resolved"]) == (counts["new"], counts["resolved"])
    else:
        assert (row["new"], row["resolved"]) == (None, None)


def test_it_agrees_with_the_report_of_each_and_says_what_failed(tmp_path: Path) -> None:
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2, MORE)
        text += "combined: { json: out/all.json, html: 'out/{date}/all.html' }\n"
        text = text.replace("outputs: { ", 'outputs: { html: "out/{organization}/x.html", ')
        first = scan(tmp_path, text)
        assert first.code == 2, first.err
        for row, name in zip(overview(tmp_path)["organizations"], ("Acme-EU", "b"), strict=False):
            agree(row, report_of(tmp_path, name))
        ran = scan(tmp_path, text)
    assert ran.code == 2, ran.err
    assert states(tmp_path) == [
        ("Acme EU", "complete", 0),
        ("b", "complete", 0),
        ("no key", "failed", 2),
        ("no answer", "failed", 3),
    ]
    found = overview(tmp_path)
    rows = found["organizations"]
    for row, name in zip(rows, ("Acme-EU", "b"), strict=False):
        agree(row, report_of(tmp_path, name))
        assert row["report"] == f"{name}/x.html"
        assert (tmp_path / "out" / row["report"]).is_file()
    assert rows[2]["reason"] == "keyvigil.yaml:7:30: NOT_SET is not set."
    assert rows[3]["reason"].startswith("http://127.0.0.1:9/v1 cannot be reached")
    assert found["totals"]["keys"] == rows[0]["keys"] + rows[1]["keys"]
    (page,) = (tmp_path / "out").glob("2*/all.html")
    assert 'href="../Acme-EU/x.html"' in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert SANDBOX_KEY not in page.read_text() + json.dumps(found)
    assert "Wrote out/all.json" in ran.err


def test_an_incomplete_scan_says_what_was_not_seen(tmp_path: Path) -> None:
    broken = FaultyApp(app(1), {"users": Faults(is_denied=True)})
    with serving(broken) as url_a, serving(app(2)) as url_b:
        ran = scan(tmp_path, settings(url_a, url_b, 2), *COMBINED)
    assert ran.code == 3, ran.err
    row, other = overview(tmp_path)["organizations"]
    assert (row["state"], row["complete"], row["exit_code"]) == ("incomplete", False, 3)
    assert row["reason"].startswith("users unavailable: GET /organization/users ")
    assert " 403" in row["reason"]
    assert (other["state"], other["reason"]) == ("complete", None)


def test_with_only_one_it_is_of_that_one_and_the_terminal_is_as_ever(tmp_path: Path) -> None:
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2, MORE)
        ran = scan(tmp_path, text, *COMBINED, "--only", "b", "--fail-on", "info")
        assert ran.code == 1, ran.err
        assert states(tmp_path) == [("b", "complete", 1)]
        agree(overview(tmp_path)["organizations"][0], report_of(tmp_path, "b"))
        assert "Organization  " not in ran.out
        failed = scan(tmp_path, text, *COMBINED, "--only", "no answer")
    assert failed.code == 3
    assert states(tmp_path) == [("no answer", "failed", 3)]


def test_without_organizations_in_the_settings_it_is_of_the_one_there_is(tmp_path: Path) -> None:
    with two() as (url_a, _, _asked):
        env = {**ENV, "OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url_a}
        env |= {"KEYVIGIL_COMBINED": "json=out/all.json", "KEYVIGIL_STORE": "none"}
        ran = keyvigil("scan", "--dry-run", cwd=tmp_path, env=env)
    assert ran.code == 0, ran.err
    ((name, state, code),) = states(tmp_path)
    assert (bool(name), state, code) == (True, "complete", 0)


def test_what_was_scanned_already_has_the_figures_of_the_scan_that_is_recorded(
    tmp_path: Path,
) -> None:
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 1)
        first = scan(tmp_path, text, "--only", "Acme EU")
        assert first.code == 0, first.err
        ran = scan(tmp_path, text, *COMBINED, "--unless-since", SINCE)
        assert ran.code == 0, ran.err
        assert [state for _, state, _ in states(tmp_path)] == ["scanned_already", "complete"]
        row = overview(tmp_path)["organizations"][0]
        agree(row, report_of(tmp_path, "Acme-EU"))
        assert row["reason"] == f"The scan {row['scan_id']} is recorded."
        (line,) = (line for line in ran.out.splitlines() if line.startswith("Acme EU "))
        assert "-" in line.split()
        alone = scan(tmp_path, text, *COMBINED, "--unless-since", SINCE, "--only", "Acme EU")
        assert alone.code == 0, alone.err
        assert overview(tmp_path)["organizations"] == [row]
        gone = text.replace("store: { ", "store: { keep_snapshots: 0, ")
        for _ in range(2):
            ran = scan(tmp_path, gone, *COMBINED, "--only", "b")
        scan(tmp_path, gone, *COMBINED, "--unless-since", SINCE, "--only", "b")
    (row,) = overview(tmp_path)["organizations"]
    assert (row["state"], row["keys"], row["by_severity"]) == ("scanned_already", None, None)


def test_one_that_is_scanned_elsewhere_is_locked(tmp_path: Path) -> None:
    held: list[Ran] = []
    combined = ("--combined", "json=out/all.json")

    def meanwhile() -> None:
        if not held:
            held.append(keyvigil("scan", "--only", "Acme EU", *combined, cwd=tmp_path, env=ENV))
            assert states(tmp_path) == [("Acme EU", "locked", 3)]

    with two(meanwhile) as (url_a, url_b, _):
        ran = scan(tmp_path, settings(url_a, url_b, 2))
    assert ran.code == 0, ran.err
    (row,) = overview(tmp_path)["organizations"]
    assert "Another scan of Acme EU is running" in row["reason"]


def test_those_that_an_end_left_out_are_not_reached(tmp_path: Path) -> None:
    slow = FaultyApp(app(1), {"api_keys": Faults(latency=3600)})
    watched = Watched(app=slow, name="a", asked=[])
    with serving(watched) as url_a, serving(app(2)) as url_b:
        (tmp_path / "keyvigil.yaml").write_text(settings(url_a, url_b, 1))
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan", *COMBINED],
            cwd=tmp_path,
            env=environment(ENV),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched.wait_for("api_keys")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert states(tmp_path) == [("Acme EU", "incomplete", 3), ("b", "not_reached", 3)]


def test_addresses_are_masked_in_it_too(tmp_path: Path) -> None:
    with two() as (url_a, url_b, _):
        ran = scan(tmp_path, settings(url_a, url_b, 2), *COMBINED, "--redact-emails")
    assert ran.code == 0, ran.err
    owners = [row["owner"] for row in overview(tmp_path)["findings"]]
    addresses = [owner["email"] for owner in owners if owner["email"]]
    assert addresses
    assert all("***@" in one for one in addresses)


def test_on_stdout_it_stands_alone(tmp_path: Path) -> None:
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2)
        ran = scan(tmp_path, text, "--combined", "json=-")
        one = scan(tmp_path, text, "--combined", "json=-", "--only", "b")
    assert (ran.code, one.code) == (0, 0), ran.err
    assert [len(json.loads(it.out)["organizations"]) for it in (ran, one)] == [2, 1]
    assert "Organization  " in ran.err


def test_what_cannot_be_written_at_the_end_exits_3(tmp_path: Path) -> None:
    def fill() -> None:
        (tmp_path / "late").write_text("a file, where a folder was to be")

    with two(fill) as (url_a, url_b, _):
        text = settings(url_a, url_b, 2)
        ran = scan(tmp_path, text, "--combined", "json=late/all.json")
        (tmp_path / "late").unlink()
        one = scan(tmp_path, text, "--combined", "json=late/all.json", "--only", "b")
    assert (ran.code, one.code) == (3, 0)
    assert "error: late/all.json could not be written: " in ran.err
    assert report_of(tmp_path, "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--combined", "csv=a"), "--combined csv=a: there is no format 'csv'; known: html, json."),
        (("--combined", "html"), "--combined html is not FORMAT=PATH."),
        (
            ("--combined", "html={organization}"),
            "--combined has an unknown placeholder {organization}; known: date, time.",
        ),
        (("--combined", "html=."), ". is a folder."),
        (
            ("--combined", "html=a", "--combined", "json=./a"),
            "Two of --combined ",
        ),
        (
            ("--combined", "json=out/b.json"),
            "--combined and an output of b would both write to out/b.json.",
        ),
        (
            ("--combined", "json=-", "--output", "json=-", "--only", "b"),
            "--combined and an output of b would both write to stdout.",
        ),
        (("--combined", "json=a", "--from", "latest"), "--combined has no effect with --from,"),
    ],
)
def test_conflicting_options_are_rejected_before_any_request(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    with two() as (url_a, url_b, asked):
        ran = scan(tmp_path, settings(url_a, url_b, 2), *arguments)
    assert (ran.code, ran.out, asked) == (2, "", [])
    assert message in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["keyvigil.yaml"]


def test_from_a_recorded_scan_the_settings_write_none(tmp_path: Path) -> None:
    """The settings may name it for scheduled scans, as they may name metrics."""
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2)
        assert scan(tmp_path, text, "--only", "b").code == 0
        text = f"combined: {{ json: out/all.json }}\n{text}"
        again = scan(tmp_path, text, "--from", "latest", "--organization", "b")
    assert again.code == 0, again.err
    assert not (tmp_path / "out" / "all.json").exists()


def test_serve_rejects_stdout_and_validate_rejects_a_shared_path(tmp_path: Path) -> None:
    env = {**ENV, "OPENAI_ADMIN_KEY": SANDBOX_KEY}
    ran = keyvigil("serve", "--combined", "html=-", cwd=tmp_path, env=env)
    assert ran.code == 2
    assert ran.err.startswith("error: --combined: ")
    assert "stdout" in ran.err.splitlines()[0]
    text = "outputs: { html: a.html }\ncombined: { html: a.html }\n"
    (tmp_path / "keyvigil.yaml").write_text(text)
    for command in (("serve",), ("config", "validate")):
        ran = keyvigil(*command, cwd=tmp_path, env=env)
        assert ran.code == 2
        assert ran.err.startswith("error: --combined and ")
        assert "a.html" in ran.err.splitlines()[0]


def test_doctor_tries_whether_it_can_be_written(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "KEYVIGIL_COMBINED": "html=all.html json=-"}
    _, lines = examined(env, tmp_path)
    assert (lines["combined html"][0], lines["combined json"][0]) == ("ok", "ok")
    assert "all.html" in lines["combined html"][1]
    assert "stdout" in lines["combined json"][1]
    _, lines = examined({**env, "KEYVIGIL_COMBINED": "html=."}, tmp_path)
    assert lines["combined"][0] == "problem"
