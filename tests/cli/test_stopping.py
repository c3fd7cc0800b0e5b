"""Ctrl-C and a lost lock leave no files; SIGTERM soon leaves a scan that is marked incomplete."""

import base64
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanner.announcement import Route, Sink
from scanner.cli.telling import Alerts, untold
from scanner.daemon.account import Account, Fate, read_account
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, AsgiApp, Receive, SandboxApp, Scope, Send
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.server import serving
from scanner.wiring import sandbox_organization
from tests.cli.running import COMMAND, Ran, environment, keyvigil
from tests.openai_api.scripted import KEY, Asked, Reply, Script
from tests.store.making import ACME, a_store, take_over
from tests.support.prose import Prose
from tests.support.waiting import PATIENCE

HOOK = Route(name="webhook", sink=Sink.WEBHOOK, to="KEYVIGIL_WEBHOOK_URL")
LONG = 3600.0
"""Seconds; longer than any test waits for a response."""


@contextmanager
def scanning(*arguments: str | Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "scan", *map(str, arguments)],
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return Ran(code=process.returncode, out=out, err=err)


def answers(asked: Asked) -> Reply:
    """Return one project, and report that there are more pages."""
    project = {"id": "proj_1", "created_at": 1, "status": "active"}
    is_projects = asked.path.endswith("/organization/projects")
    return Reply(body={"data": [project] if is_projects else [], "has_more": is_projects})


def test_ctrl_c_stops_a_scan_and_leaves_no_partial_report(tmp_path: Path, prose: Prose) -> None:
    arrived: list[int] = []
    started = threading.Event()

    def slow(asked: Asked) -> Reply:
        if not arrived:
            arrived.append(1)
            assert started.wait(PATIENCE)
            process.send_signal(signal.SIGINT)
        return answers(asked)

    with (
        serving(Script(slow)) as url,
        scanning(
            "--output",
            f"html={tmp_path / 'report.html'}",
            env={"OPENAI_ADMIN_KEY": KEY, "OPENAI_BASE_URL": url},
        ) as process,
    ):
        started.set()
        ran = ended(process)
    assert (ran.code, ran.out) == (130, "")
    prose(ran.err)
    assert list(tmp_path.iterdir()) == []


class Noticing:
    """Wraps an application; sets `noticed` once each of some listings was requested."""

    def __init__(self, app: AsgiApp, listings: Iterable[str]) -> None:
        self.noticed = threading.Event()
        self._app, self._left = app, set(listings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._left.discard(str(scope["path"]).rpartition("/")[2])
        if not self._left:
            self.noticed.set()
        await self._app(scope, receive, send)


@contextmanager
def organization_with(
    faults: dict[str, Faults], *listings: str
) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """Serve a sandbox; yield settings, and a function that waits for requests of the listings."""
    made = sandbox_organization(seed=7, projects=60, keys_per_project=5)
    app = Noticing(FaultyApp(SandboxApp(made, keys={SANDBOX_KEY: ALL_SCOPES}), faults), listings)

    def wait() -> None:
        assert app.noticed.wait(PATIENCE)

    with serving(app) as url:
        yield {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url}, wait


def test_sigterm_before_the_first_response_stops_the_scan(tmp_path: Path, prose: Prose) -> None:
    stalled = {"projects": Faults(stall=1)}
    with (
        organization_with(stalled, "projects") as (settings, wait_for_request),
        scanning("--output", f"html={tmp_path / 'report.html'}", env=settings) as process,
    ):
        wait_for_request()
        process.send_signal(signal.SIGTERM)
        ran = ended(process)
    assert (ran.code, ran.out) == (143, "")
    prose(ran.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("listing", "faults"),
    [
        ("api_keys", Faults(stall=1)),
        ("api_keys", Faults(rate=1)),
        ("api_keys", Faults(fail=1)),
        ("users", Faults(latency=LONG)),
    ],
)
def test_sigterm_during_collection_leaves_a_recorded_and_reported_incomplete_scan(
    tmp_path: Path, listing: str, faults: Faults
) -> None:
    report, store = tmp_path / "report.json", tmp_path / "history.db"
    more = {
        "KEYVIGIL_STORE": str(store),
        "KEYVIGIL_WEBHOOK_URL": "http://127.0.0.1:9/",
        "KEYVIGIL_WEBHOOK_SECRET": f"whsec_{base64.b64encode(bytes(32)).decode()}",
    }
    with (
        organization_with({listing: faults}, listing, "api_keys") as (settings, wait_for_request),
        scanning("--output", f"json={report}", env={**settings, **more}) as process,
    ):
        wait_for_request()
        for _ in range(2):  # systemd signals the whole process group, and so does a daemon
            process.send_signal(signal.SIGTERM)
        ran = ended(process)
    assert ran.code == 3
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert str(*untold(Alerts(routes=(HOOK,)))) in "\n".join(errors)
    reported = json.loads(report.read_text())
    assert reported["scan"]["complete"] is False
    listed = keyvigil("history", "--json", env={"KEYVIGIL_STORE": str(store)})
    (recorded,) = json.loads(listed.out)
    assert (recorded["scan"], recorded["complete"]) == (reported["scan"]["id"], False)


@pytest.mark.parametrize("listing", ["projects", "api_keys"])
def test_a_scan_whose_lock_was_taken_over_ends_soon_and_records_no_scan(
    tmp_path: Path, listing: str
) -> None:
    """Before the first response, and during collection."""
    report, account, store = (tmp_path / name for name in ("r.json", "a.json", "history.db"))
    more = {
        "KEYVIGIL_STORE": str(store),
        "KEYVIGIL_ORGANIZATION": ACME,
        "KEYVIGIL_LEASE": "1",
        "KEYVIGIL_LOG_FORMAT": "json",
    }
    options = ("--output", f"json={report}", "--account", account)
    with (
        organization_with({listing: Faults(latency=LONG)}, listing) as (settings, wait_for_request),
        scanning(*options, env={**settings, **more}) as process,
    ):
        wait_for_request()
        take_over(str(store))
        ran = ended(process)
    assert ran.code == 3
    (event,) = map(json.loads, ran.err.splitlines())
    assert (event["level"], event["error"]) == ("warning", "lock_lost")
    assert ACME in event["event"]
    assert read_account(account) == Account(fate=Fate.LOCKED)
    assert a_store(str(store)).nights(ACME, 9) == ()
    assert not report.exists()
