"""Monitoring of scans: a metrics file and pings.

Both report on the whole run, however it ends, except after SIGKILL.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

import typer

from scanner.alert_settings import read_ping_url
from scanner.alerts.ping import Ping
from scanner.cli.console import ExitCode, say, show_error, worst
from scanner.cli.memory import Memory
from scanner.cli.outputs import check_template_writable, named
from scanner.daemon.events import Level
from scanner.display import visible
from scanner.errors import AlertError, KeyVigilError, OutputError, StoreError, StoreLocked
from scanner.formats.files import write_whole
from scanner.formats.metrics_text import Before, RunFigures, read_before, render_metrics
from scanner.formats.visit import unseen
from scanner.redaction import without_addresses_in
from scanner.result import ScanResult
from scanner.secret import redact
from scanner.wiring import now

Done = tuple[ScanResult, list[KeyVigilError]]
"""The result of a scan, and the errors beside it."""
_SUCCESSES: Final = (ExitCode.DONE, ExitCode.FINDINGS)
_RANKED: Final = tuple(code for code in ExitCode if code < ExitCode.INTERRUPTED)
_STOPPED: Final = (ExitCode.INTERRUPTED, 143)
_READABLE_BY_ALL: Final = 0o644
_MOST_READ: Final = 1_000_000
_LONGEST: Final = 200


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run. `organization` is the name of its history, or "".

    `reason` is why the run is not a success, if neither its result nor its errors show it.
    """

    watchers: "_Watchers | None" = None
    organization: str = ""
    reason: str = ""
    started: float = field(default_factory=monotonic)
    retries: int = 0
    result: ScanResult | None = None
    failures: Sequence[KeyVigilError] = ()
    alerts_pending: int | None = None

    def asked_again(self) -> None:
        """Count a retried request."""
        self.retries += 1

    def saw(self, done: Done, memory: Memory | None) -> Done:
        """Record the result of the scan and the number of pending alerts; return `done`."""
        self.result, self.failures = done
        self.organization = memory.name if memory else self.result.organization or ""
        if memory is not None and memory.lease is not None:
            try:
                self.alerts_pending = len(memory.store.outbox.pending(memory.organization))
            except StoreError:
                self.alerts_pending = None
        return done

    def end(self, code: int, why: str = "") -> int:
        """Report the end of the run, once; return the exit code, worse if metrics failed."""
        watchers, self.watchers = self.watchers, None
        return watchers.end(self, code, why) if watchers else code

    def leave(self) -> None:
        """Send no report: another run reports for the organization."""
        self.watchers = None

    def skip(self) -> None:
        """Report success by ping, and keep the metrics of the scan that was made earlier."""
        if self.watchers is not None:
            self.watchers = replace(self.watchers, metrics=None)

    def why(self, code: int) -> str:
        """Return in one line why a run with this exit code is not a success."""
        if code in _STOPPED:
            return "Stopped: the scan was not finished."
        if code == ExitCode.PIPE_CLOSED:
            return "The reader of the output closed the pipe."
        if self.reason:
            return self.reason
        if self.failures:
            return str(self.failures[0])
        if self.result is not None and not self.result.complete:
            return f"The scan is incomplete: {'; '.join(unseen(self.result).splitlines())}"
        return "The scan was not finished."

    def figures(self, organization: str, *, is_success: bool) -> RunFigures:
        """Return the figures of the run for the metrics, beside its result."""
        failed = sum(isinstance(error, AlertError) for error in self.failures)
        return RunFigures(
            organization=organization,
            ended_at=now(),
            seconds=monotonic() - self.started,
            is_success=is_success,
            retries=self.retries,
            alerts_pending=self.alerts_pending,
            alerts_failed=failed if self.result else None,
        )


@contextmanager
def sign_of_life(
    metrics: Path | None, organization: str | None, *, is_off: bool, pings: bool = True
) -> Iterator[Run]:
    """Report the start and the end of a run by ping and metrics; print its errors.

    `is_off`: not a scheduled scan, so report to no monitor. `metrics` may contain {organization}.
    Raise UsageError for invalid settings, typer.Exit with the exit code of the run.
    """
    run = Run(organization=organization or "")
    if is_off:
        yield run
        return
    run.watchers = watchers = _watchers(metrics, pings=pings)
    try:
        watchers.begin()
        yield run
    except StoreLocked:
        raise  # the running scan reports for the organization
    except KeyVigilError as error:
        raise typer.Exit(run.end(show_error(error), str(error))) from None
    except typer.Exit as ended:
        raise typer.Exit(run.end(ended.exit_code)) from None
    except SystemExit:
        run.end(ExitCode.PIPE_CLOSED)
        raise
    except KeyboardInterrupt:
        run.end(ExitCode.INTERRUPTED)
        raise
    except Exception:
        run.end(ExitCode.INCOMPLETE, "KeyVigil itself failed.")
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watchers:
    """The monitors of a run: a metrics file, a ping address, or neither."""

    metrics: Path | None
    ping: Ping | None

    def begin(self) -> None:
        """Report the start of a run."""
        if self.ping:
            _ping(self.ping.start)

    def end(self, run: Run, code: int, why: str) -> int:
        """Report the end of a run; return the exit code, worse if metrics could not be written."""
        if self.metrics is not None:
            try:
                _write(self.metrics, run, is_success=code in _SUCCESSES)
            except OutputError as error:
                why = why or run.why(code) if code not in _SUCCESSES else str(error)
                code = _worse(code, show_error(error))
        if self.ping and code in _SUCCESSES:
            _ping(self.ping.success)
        elif self.ping:
            said = _in_short(code, why or run.why(code))
            _ping(partial(self.ping.fail, said, is_hurried=code in _STOPPED))
        return code


def _watchers(metrics: Path | None, *, pings: bool) -> _Watchers:
    url = read_ping_url(os.environ) if pings else None
    if metrics is not None:
        check_template_writable(metrics)
    return _Watchers(metrics=metrics, ping=Ping(url, sleep=time.sleep) if url else None)


def _worse(code: int, other: ExitCode) -> int:
    """Return the exit code of the worse problem; the code of a stop is kept."""
    return worst([ExitCode(code), other]) if code in _RANKED else code


def _write(path: Path, run: Run, *, is_success: bool) -> None:
    """Replace the metrics file, continuing the counters of the previous run."""
    path = named(path, run.organization or "organization")
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            before = read_before(file.read(_MOST_READ))
    except OSError:
        before = Before()
    figures = run.figures(run.organization or before.organization, is_success=is_success)
    document = render_metrics(run.result, figures, before)
    write_whole(path, document.encode(), _READABLE_BY_ALL)


def _ping(send: Callable[[], None]) -> None:
    """Send a ping; print a warning if it fails (the monitor then reports the missing ping)."""
    try:
        send()
    except AlertError as error:
        say(f"{error} {error.help}", level=Level.WARNING)


def _in_short(code: int, why: str) -> str:
    """Return a ping's body: the exit code and one line with the cause.

    The receiver is a third party, so secrets and addresses are masked.
    """
    line = visible(without_addresses_in(redact(why.splitlines()[0])))[:_LONGEST]
    return line if code in _STOPPED else f"exit {code}: {line}"
