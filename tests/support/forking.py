"""Commands as forks of a process that has loaded them, one such process for each worker."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.support.waiting import PATIENCE

_ROOT = Path(__file__).parent.parent.parent
_STARTING = threading.Lock()
_RUNNING: set[int] = set()
"""Process ids."""
_AT_START = ("PYTHON", "LANG", "LC_")
"""Variables that Python reads while it starts."""


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether a fork is as good as a new process with that environment."""

    def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: one for name, one in variables.items() if name.startswith(_AT_START)}

    return hasattr(socket, "send_fds") and read_at_start(environment) == read_at_start(os.environ)


class Forked:
    """A command that runs; its output is read while it does.

    `first` is called in its process before it begins: a module, its function and an argument.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | None = None,
        first: Sequence[str | int] = (),
    ) -> None:
        self._reading = ThreadPoolExecutor(2)
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        request = json.dumps((arguments, str(cwd or Path.cwd()), dict(environment), first))
        self._line, theirs = socket.socketpair()
        self._line.settimeout(PATIENCE)
        with theirs, Path(os.devnull).open("rb") as nothing, _STARTING:
            socket.send_fds(_door(), [b"."], [theirs.fileno()])
            ends = [nothing.fileno(), out_end, err_end]
            sent = socket.send_fds(self._line, [request.encode()], ends)
        self._line.sendall(request.encode()[sent:])
        self._line.shutdown(socket.SHUT_WR)
        self._answers = self._line.makefile()
        for end in (out_end, err_end):
            os.close(end)
        self._out, self._err = (self._reading.submit(_read, end) for end in (out, err))
        self.pid = int(self._answers.readline())
        _RUNNING.add(self.pid)

    def send_signal(self, number: int) -> None:
        """Send its process a signal."""
        os.kill(self.pid, number)

    def end(self) -> tuple[int, str, str]:
        """Wait until it has ended; return its exit code, as Popen has it, and what it printed."""
        with self._line, self._answers, self._reading:
            try:
                code = int(self._answers.readline())
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                raise
            _RUNNING.discard(self.pid)
            return code, self._out.result(), self._err.result()


def _read(descriptor: int) -> str:
    with open(descriptor) as stream:
        return stream.read()


@cache
def _door() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "tests.support.forked", str(theirs.fileno())],
            cwd=_ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def close() -> None:
        ours.close()
        for pid in _RUNNING:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    atexit.register(close)
    return ours
