"""Real processes: killed at every step, and two at once."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from scanner.receipt import Result, broken_at
from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from tests.cli.running import COMMAND, Ran, environment
from tests.revocation.commands import desk
from tests.revocation.staging import Stage

pytestmark = pytest.mark.slow

LATER = """
import sys
from datetime import timedelta
from scanner.cli import app, revoking
real = revoking.now
revoking.now = lambda: real() + timedelta(minutes=11)
app.main()
"""
"""The command, eleven minutes later."""


@dataclass
class Deadly:
    """The API, which kills whoever asks at the n-th moment before or after it answers of a key.

    With another `signal` than SIGKILL it tells them so, and answers.
    """

    app: AsgiApp
    at: int
    signal: int = signal.SIGKILL
    pid: int = 0
    moments: int = 0

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
        if self.moments != self.at or not self.pid:
            return False
        os.kill(self.pid, self.signal)
        return self.signal == signal.SIGKILL


def killed(env: dict[str, str], folder: Path, deadly: Deadly) -> int:
    """Run a scan to its end or its killing; return how it ended."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "scan"],
        cwd=folder,
        env=environment({**env, "KEYVIGIL_LEASE": "1"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadly.pid = process.pid
        code = process.wait(timeout=60)
    deadly.pid = 0
    return code


def later(env: dict[str, str], folder: Path) -> Ran:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", LATER, "scan"],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def results(stage: Stage) -> list[Result | None]:
    return [act.outcome.result if act.outcome else None for act in stage.acts()]


@pytest.mark.parametrize("moment", range(1, 9))
def test_killed_at_any_moment_and_run_again_it_converges(tmp_path: Path, moment: int) -> None:
    """Before and after: the look, its owner, the change, the look at what came of it."""
    with desk(tmp_path) as own:
        stage = own.stage
        deadly = Deadly(app=stage.api.app, at=moment)
        stage.api.app = deadly
        assert killed(own.env, tmp_path, deadly) == -signal.SIGKILL
        assert len(stage.written()) == (1 if moment >= 6 else 0)
        while (ran := own.run("scan")).code == 3 and "Another scan" in ran.err:
            pass  # the dead one's lease runs out within a second
        assert len(stage.written()) <= 1
        assert later(own.env, tmp_path).code in (0, 5)  # its clock is wrong: it only looks
        assert own.run("scan").code in (0, 5)
        assert stage.written() == [("POST", own.cast.old.id)]
        known = results(stage)
        assert known[-1] is Result.DONE
        assert known[:-1] == ([Result.FAILED] if moment == 5 else [])
        assert own.cast.sibling.expires_at is None
        (entries,) = stage.store.journals().values()
        assert broken_at(entries) is None


def test_who_is_told_to_end_finishes_the_key_and_begins_no_other(tmp_path: Path) -> None:
    """SIGTERM comes while the first of two keys is read again."""
    with desk(tmp_path, both=True) as own:
        deadly = Deadly(app=own.stage.api.app, at=1, signal=signal.SIGTERM)
        own.stage.api.app = deadly
        assert killed(own.env, tmp_path, deadly) == 0
        assert len(own.stage.written()) == 1
        assert results(own.stage) == [Result.DONE]
        assert own.run("scan").code == 0
        assert len(own.stage.written()) == 2


def test_four_at_once_revoke_the_key_once(tmp_path: Path, place: str) -> None:
    with desk(tmp_path, place) as own:
        settings = "revocation: { mode: enforce, max_keys: 1, max_percent: 100 }\n"
        (tmp_path / "keyvigil.yaml").write_text(settings)
        with ThreadPoolExecutor(4) as pool:
            ran = list(pool.map(lambda _: own.run("scan"), range(4)))
        assert {one.code for one in ran} <= {0, 3}
        assert own.stage.written() == [("POST", own.cast.old.id)]
        assert results(own.stage) == [Result.DONE]
        (entries,) = own.stage.store.journals().values()
        assert broken_at(entries) is None
