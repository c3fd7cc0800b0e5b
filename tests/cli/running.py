"""The real command in a process of its own."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.forking import Forked, can_fork
from tests.support.waiting import PATIENCE

COMMAND = (sys.executable, "-m", "scanner")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without credentials and history, and `extra`."""
    ours = ("OPENAI_", "KEYVIGIL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    nowhere = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "KEYVIGIL_STORE": "none"}
    return {**kept, **nowhere, **extra}


def keyvigil(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Ran:
    """Run `keyvigil` with no terminal; `env` is added to the environment."""
    given = environment(env or {})
    typed = [*map(str, arguments)]
    if can_fork(given):
        code, out, err = Forked(typed, given, cwd).end()
        ran = Ran(code=code, out=out, err=err)
    else:
        ran = keyvigil_anew(*typed, cwd=cwd, env=env)
    assert "Traceback" not in ran.err, ran.err
    return ran


def keyvigil_anew(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Ran:
    """Run `keyvigil` as a user's shell does, so that it loads only what it loads by itself."""
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(env or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def keyvigil_on_terminal(
    *arguments: str | Path, typed: str, env: Mapping[str, str] | None = None
) -> Ran:
    """Run `keyvigil` with a terminal as its input, on which that is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *map(str, arguments)],
            env=environment(env or {}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=theirs,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


@contextmanager
def sandbox(*arguments: str) -> Iterator[dict[str, str]]:
    """Run `keyvigil sandbox serve`; yields the variables that it prints."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "sandbox", "serve", *arguments],
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(2)]
            yield dict(line.removeprefix("export ").split("=", 1) for line in lines)
        finally:
            process.terminate()
