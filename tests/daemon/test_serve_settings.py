"""Scans of `keyvigil serve`: paths in settings are relative to the folder of the settings file."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanner.sandbox.server import serving
from tests.cli.running import COMMAND
from tests.cli.test_many import ENV, app
from tests.daemon.running import Running, running
from tests.revocation.commands import desk
from tests.store.making import a_history, a_store

pytestmark = pytest.mark.slow
SETTINGS = """\
policies: [./mine.yaml]
outputs: { json: out/report.json }
store: { url: history.db }
revocation: { mode: enforce, max_percent: 100 }
"""


@contextmanager
def serve(elsewhere: Path, config: Path, env: dict[str, str], *options: str) -> Iterator[Running]:
    """Run the daemon in another folder than that of the settings; a run was due an hour ago."""
    elsewhere.mkdir()
    due = datetime.now(UTC) - timedelta(hours=1)
    options = (f"--cron={due:%M %H} * * *", "--listen=127.0.0.1:0", "--log-format=json", *options)
    command = [*COMMAND, "serve", f"--config={config}", *options]
    with running(command, env, cwd=elsewhere) as run:
        yield run


@pytest.mark.parametrize("switch", ["none", "file", "variable"])
def test_the_kill_switch_holds_in_scans_that_the_daemon_starts(tmp_path: Path, switch: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with desk(home) as own:
        (home / "keyvigil.yaml").write_text(SETTINGS)
        given = ("OPENAI_ADMIN_KEY", "OPENAI_BASE_URL", "NO_PROXY")
        env = {**{name: own.env[name] for name in given}, "KEYVIGIL_STORE": ""}
        if switch == "file":
            (home / "keyvigil.stop").touch()
        if switch == "variable":
            env["KEYVIGIL_REVOCATION"] = "off"
        with serve(tmp_path / "elsewhere", home / "keyvigil.yaml", env) as run:
            ended = run.until("run_ended")
            assert (ended["outcome"], ended["exit_code"]) == ("done", 0), run.events
            assert run.stop(signal.SIGTERM) == 0
        written = own.stage.written()
    report = json.loads((home / "out" / "report.json").read_text())
    assert report["scan"]["policies"] == ["mine"]
    assert written == ([("POST", own.cast.old.id)] if switch == "none" else [])
    if switch == "file":
        assert str(home / "keyvigil.stop") in json.dumps(report["revocation"])


def test_several_organizations_are_one_run_and_each_is_caught_up_separately(
    tmp_path: Path,
) -> None:
    store, now = tmp_path / "history.db", datetime.now(UTC)
    history = a_store(str(store))
    for name, age in (("a", timedelta(minutes=30)), ("b", timedelta(days=1))):
        with history.hold(name) as lease:
            history.record(lease, a_history(now - age, organization=name), b"seen")
    with serving(app(1)) as url_a, serving(app(2)) as url_b:
        config = tmp_path / "k.yaml"
        config.write_text(
            "store: { url: history.db }\norganizations:\n"
            f"  - {{ name: a, key_env: A_KEY, base_url: '{url_a}' }}\n"
            f"  - {{ name: b, key_env: B_KEY, base_url: '{url_b}' }}\n"
        )
        env = ENV
        combined = f"--combined=json={tmp_path / 'all.json'}"
        with serve(tmp_path / "elsewhere", config, env, combined) as run:
            run.until("catching_up")
            ended = run.until("run_ended")
            assert (ended["outcome"], ended["organization"]) == ("done", "a, b"), run.events
            status, page = run.get("/metrics")
            assert run.stop(signal.SIGTERM) == 0
        with serve(tmp_path / "again", config, env) as run:
            run.until("up_to_date")
            assert run.stop(signal.SIGTERM) == 0
    rows = json.loads((tmp_path / "all.json").read_text())["organizations"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("a", "scanned_already"),
        ("b", "complete"),
    ]
    assert status == 200
    assert 'keyvigil_keys{organization="b"}' in page
    assert 'organization="a"' not in page  # scanned already, possibly by another process
    assert [len(history.nights(name, 10)) for name in ("a", "b")] == [1, 2]
