"""Real processes: killed at every step, and several in parallel."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.receipt import Result, broken_at
from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from tests.cli.running import Ran, environment
from tests.revocation.commands import desk
from tests.revocation.staging import Stage
from tests.store.making import let_lease_run_out
from tests.support.forking import Forked
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow


@dataclass
class Deadly:
    """An API that kills its client at the n-th moment before or after a response about a key.

    With a `signal` other than SIGKILL it sends that signal and responds.
    """

    app: AsgiApp
    at: int
    signal: int = signal.SIGKILL
    pid: int = 0
    moments: int = 0
    started: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_of_one = "/api_keys/" in scope["path"] or "/users/" in scope["path"]
        if is_of_one and self._kills():
            return
        answers = []

        async def keep(message: object) -> None:
            answers.append(message)

        await self.app(scope, receive, keep)
        if is_of_one and self._kills():
            return
        for message in answers:
            await send(message)  # type: ignore[arg-type]

    def _kills(self) -> bool:
        self.moments += 1
        if self.moments != self.at:
            return False
        assert self.started.wait(PATIENCE)
        os.kill(self.pid, self.signal)
        return self.signal == signal.SIGKILL


def killed(env: dict[str, str], folder: Path, deadly: Deadly) -> int:
    """Run a scan until it ends or is killed; return its exit status."""
    process = Forked(["scan"], environment({**env, "KEYVIGIL_LEASE": "3600"}), folder)
    deadly.pid = process.pid
    deadly.started.set()
    return process.end()[0]


def later(env: dict[str, str], folder: Path) -> Ran:
    """Run a scan eleven minutes later."""
    first = ("tests.support.hooks", "be_later", 11)
    code, out, err = Forked(["scan"], environment(env), folder, first).end()
    assert "Traceback" not in err, err
    return Ran(code=code, out=out, err=err)


def results(stage: Stage) -> list[Result | None]:
    return [act.outcome.result if act.outcome else None for act in stage.acts()]


@pytest.mark.parametrize("moment", range(1, 9))
def test_killed_at_any_moment_and_run_again_it_converges(tmp_path: Path, moment: int) -> None:
    """Before and after: reading the key, its owner, the change, reading the outcome."""
    with desk(tmp_path) as own:
        stage = own.stage
        deadly = Deadly(app=stage.api.app, at=moment)
        stage.api.app = deadly
        assert killed(own.env, tmp_path, deadly) == -signal.SIGKILL
        assert len(stage.written()) == (1 if moment >= 6 else 0)
        let_lease_run_out(own.env["KEYVIGIL_STORE"])
        assert own.run("scan").code in (0, 5)
        assert len(stage.written()) <= 1
        stage.later = timedelta(minutes=11)
        assert later(own.env, tmp_path).code in (0, 5)
        stage.later = timedelta()
        assert own.run("scan").code in (0, 5)
        assert stage.written() == [("POST", own.cast.old.id)]
        known = results(stage)
        assert known[-1] is Result.DONE
        assert known[:-1] == ([Result.FAILED] if moment == 5 else [])
        assert own.cast.sibling.expires_at is None
        (entries,) = stage.store.journals().values()
        assert broken_at(entries) is None


def test_a_scan_that_receives_sigterm_finishes_the_current_key_only(tmp_path: Path) -> None:
    """SIGTERM comes while the first of two keys is read again."""
    with desk(tmp_path, both=True) as own:
        deadly = Deadly(app=own.stage.api.app, at=1, signal=signal.SIGTERM)
        own.stage.api.app = deadly
        assert killed(own.env, tmp_path, deadly) == 0
        assert len(own.stage.written()) == 1
        assert results(own.stage) == [Result.DONE]
        assert own.run("scan").code == 0
        assert len(own.stage.written()) == 2


def test_four_parallel_scans_revoke_the_key_once(tmp_path: Path, place: str) -> None:
    with desk(tmp_path, place) as own:
        settings = "revocation: { mode: enforce, max_keys: 1, max_percent: 100 }\n"
        (tmp_path / "keyvigil.yaml").write_text(settings)
        with ThreadPoolExecutor(4) as pool:
            ran = list(pool.map(lambda _: own.run("scan"), range(4)))
        assert {one.code for one in ran} <= {0, 3}, [one.err for one in ran]
        assert own.stage.written() == [("POST", own.cast.old.id)]
        assert results(own.stage) == [Result.DONE]
        (entries,) = own.stage.store.journals().values()
        assert broken_at(entries) is None
