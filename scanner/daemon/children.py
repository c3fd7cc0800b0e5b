"""Scans as child processes: their memory is released, and a crash does not end the daemon."""

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
"""Seconds for reading the history."""
_PATIENCE: Final = 10.0
"""Seconds that a scan has to end after SIGTERM."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan, with the fields that the daemon needs."""

    organization: str
    started_at: datetime
    complete: bool


class Children:
    """Runs `command` with a scan's arguments and logs each line of its stderr.

    One scan at a time. Each process gets `environment`, in which KEYVIGIL_LOG_FORMAT is json,
    and the variables of the call. `folder` must be private.
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
        """Run a scan to its end; terminate it, or kill it, if it takes longer than `timeout`."""
        self._account.unlink(missing_ok=True)
        command = ("scan", *arguments, "--account", str(self._account))
        # stdout is a summary for people
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
        """Return the latest recorded scans of the organizations, oldest first; () if none.

        None if unknown: the history cannot be read, or has several organizations and
        `organizations` is empty.
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
                help="Set --organization, so that missed runs can be detected.",
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
        """Return the parsed output of `keyvigil history`; None if it fails.

        A failure is logged unless the daemon is stopping.
        """
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
        """Start a process; None if the daemon is stopping."""
        with self._lock:
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - keyvigil itself, no shell
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
        """Start no further processes; terminate the running ones and wait for their end."""
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
            self._log(
                Level.ERROR, "scan_killed", reason=f"still running {_PATIENCE:.0f} s after SIGTERM"
            )
            process.kill()
            process.wait()


class _Said:
    """Logs the stderr of a scan, and keeps its last error."""

    def __init__(self, stream: IO[str] | None, log: Log) -> None:
        self._error = ""
        self._log = log
        self._stream = stream
        self._reader = threading.Thread(target=self._read, name="keyvigil-output", daemon=True)
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
