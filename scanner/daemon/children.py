"""Scans as processes of their own: their memory goes back, and their faults stay with them."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import IO, Final, TypeVar

from scanner.daemon.account import read_account
from scanner.daemon.events import Level, Log
from scanner.daemon.outcome import Ended, Outcome
from scanner.daemon.said import parse_said

_NIGHTS: Final = 50
_LOOK: Final = 30.0
"""Seconds for a look at the history."""
_PATIENCE: Final = 10.0
"""Seconds that a scan has to end in order, once it was told to."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan, as far as the daemon needs it."""

    organization: str
    started_at: datetime
    complete: bool


class Children:
    """Starts `command` with a scan's arguments; what a scan says goes to the log, line by line.

    One at a time. Each has `environment`, in which KEYVIGIL_LOG_FORMAT is json, and what it is
    given beside it. `folder` is a private one.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Log,
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._account = folder / "account.json"
        self._log = log
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopping = threading.Event()

    def scan(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout: timedelta
    ) -> Ended:
        """Run a scan to its end; one that takes longer than `timeout` is told to end, or killed."""
        self._account.unlink(missing_ok=True)
        command = ("scan", *arguments, "--account", str(self._account))
        # on stdout is a summary for people
        process = self._start(command, environment, stdout=subprocess.DEVNULL)
        if process is None:
            return Ended(outcome=Outcome.STOPPED, code=0)
        said = _Said(process.stderr, self._log)
        is_late = False
        try:
            process.wait(timeout.total_seconds())
        except subprocess.TimeoutExpired:
            is_late = True
            self._end(process)
        self._forget(process)
        ended = Ended.of(process.returncode, read_account(self._account), said.error())
        if ended.outcome.is_success or not (is_late or self._stopping.is_set()):
            return ended
        is_stopped = self._stopping.is_set()
        return replace(ended, outcome=Outcome.STOPPED if is_stopped else Outcome.TIMED_OUT)

    def recorded(
        self, environment: Mapping[str, str], organizations: Sequence[str]
    ) -> tuple[Recorded, ...] | None:
        """Return the latest recorded scans of the organizations, oldest first; none of no history.

        None if nobody can tell: the history cannot be read, or, without a name, holds several.
        """
        limit = _NIGHTS * max(1, len(organizations))
        nights = self._read(("--json", "--limit", str(limit)), environment, _nights)
        if nights is None:
            return None
        if organizations:
            return tuple(night for night in nights if night.organization in organizations)
        if len({night.organization for night in nights}) > 1:
            self._log(
                Level.WARNING,
                "ambiguous_history",
                help="name one with --organization, so that a missed run can be told",
            )
            return None
        return nights

    def clocks(self, environment: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the problems of the history's clocks and dates; None if it cannot be read."""
        return self._read(("--clocks",), environment, _problems)

    def _read(
        self,
        options: Sequence[str],
        environment: Mapping[str, str],
        parse: Callable[[str], Result | None],
    ) -> Result | None:
        """Return what `keyvigil history` prints; None, logged unless all ends, if that fails."""
        process = self._start(("history", *options), environment, stdout=subprocess.PIPE)
        if process is None:
            return None
        try:
            out, said = process.communicate(timeout=_LOOK)
        except subprocess.TimeoutExpired:
            self._end(process)
            out, said = process.communicate()
        self._forget(process)
        found = parse(out) if process.returncode == 0 else None
        if found is None and not self._stopping.is_set():
            reason = parse_said(said.strip().partition("\n")[0]).text
            self._log(Level.WARNING, "history_unreadable", reason=reason)
        return found

    def _start(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, stdout: int
    ) -> subprocess.Popen[str] | None:
        """Start a process; None if no more are to be."""
        with self._lock:
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [*self._command, *arguments],
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
            self._processes.add(process)
        return process

    def _forget(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        """Start no more; tell the scan that runs to end, and wait until it has."""
        with self._lock:
            self._stopping.set()
            processes = list(self._processes)
        for process in processes:
            self._end(process)

    def _end(self, process: subprocess.Popen[str]) -> None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._log(Level.ERROR, "scan_killed", reason=f"did not end within {_PATIENCE:.0f} s")
            process.kill()
            process.wait()


class _Said:
    """Logs what a scan says on stderr, and keeps its last error."""

    def __init__(self, stream: IO[str] | None, log: Log) -> None:
        self._error = ""
        self._log = log
        self._stream = stream
        self._reader = threading.Thread(target=self._read, name="keyvigil-said", daemon=True)
        self._reader.start()

    def error(self) -> str:
        """Return the last error, once the stream has ended."""
        self._reader.join(_PATIENCE)
        return self._error

    def _read(self) -> None:
        if self._stream is None:
            return
        with self._stream as lines:
            for line in lines:
                said = parse_said(line.strip())
                if said.level is Level.ERROR:
                    self._error = said.text
                if said.text:
                    self._log(said.level, "scan_log", text=said.text, **said.fields)


def by_organization(nights: Sequence[Recorded]) -> list[list[Recorded]]:
    """Return the recorded scans of each organization, oldest first."""
    whose = sorted(nights, key=lambda night: (night.organization, night.started_at))
    return [list(group) for _, group in groupby(whose, key=lambda night: night.organization)]


def _nights(text: str) -> tuple[Recorded, ...] | None:
    try:
        return tuple(
            Recorded(
                organization=row["organization"],
                started_at=datetime.fromisoformat(row["started_at"]),
                complete=row["complete"],
            )
            for row in json.loads(text)
        )
    except (ValueError, KeyError, TypeError):
        return None


def _problems(text: str) -> tuple[str, ...] | None:
    try:
        return tuple(map(str, json.loads(text)))
    except (ValueError, TypeError):
        return None
