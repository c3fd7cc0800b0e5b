"""What a scan leaves for those who watch over it: metrics in a file, and pings.

They speak of the run as a whole, however it ends, but for a kill that nobody can catch.
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
"""How a scan went, and what failed beside it."""
_SUCCESSES: Final = (ExitCode.DONE, ExitCode.FINDINGS)
_RANKED: Final = tuple(code for code in ExitCode if code < ExitCode.INTERRUPTED)
_STOPPED: Final = (ExitCode.INTERRUPTED, 143)
_READABLE_BY_ALL: Final = 0o644
_MOST_READ: Final = 1_000_000
_LONGEST: Final = 200


@dataclass(slots=True, kw_only=True)
class Run:
    """One run as it goes. `organization` is the name that its history is kept under, or "".

    `reason` is why it is no success, if neither its result nor what failed beside it tells.
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
        """Count a request that was asked again."""
        self.retries += 1

    def saw(self, done: Done, memory: Memory | None) -> Done:
        """Take note of how the scan went, while the history is at hand, and return it."""
        self.result, self.failures = done
        self.organization = memory.name if memory else self.result.organization or ""
        if memory is not None and memory.lease is not None:
            try:
                self.alerts_pending = len(memory.store.outbox.pending(memory.organization))
            except StoreError:
                self.alerts_pending = None
        return done

    def end(self, code: int, why: str = "") -> int:
        """Tell once how it ended; return the code it ends with, as metrics may not be written."""
        watchers, self.watchers = self.watchers, None
        return watchers.end(self, code, why) if watchers else code

    def leave(self) -> None:
        """Tell nobody: another run speaks for the organization."""
        self.watchers = None

    def skip(self) -> None:
        """Let pings say that all is well, and the metrics stay those of the scan that was made."""
        if self.watchers is not None:
            self.watchers = replace(self.watchers, metrics=None)

    def why(self, code: int) -> str:
        """Say in one line why a run that ended with this code is no success."""
        if code in _STOPPED:
            return "Stopped: the scan was not finished."
        if code == ExitCode.PIPE_CLOSED:
            return "Whoever read the output went away."
        if self.reason:
            return self.reason
        if self.failures:
            return str(self.failures[0])
        if self.result is not None and not self.result.complete:
            return f"The scan is incomplete: {'; '.join(unseen(self.result).splitlines())}"
        return "The scan was not finished."

    def figures(self, organization: str, *, is_success: bool) -> RunFigures:
        """Return what metrics say of it beside its result."""
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
    """Tell who watches that a run begins, and how it ended; its errors are shown here.

    `is_off`: this is no scan of tonight, and nobody is told. `metrics` may hold {organization}.
    Raise UsageError for what cannot work, typer.Exit with the code that the run ends with.
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
        raise  # the scan that runs speaks for the organization
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
    """Who watches: a file of metrics, an address of pings, or neither."""

    metrics: Path | None
    ping: Ping | None

    def begin(self) -> None:
        """Tell that a run begins."""
        if self.ping:
            _ping(self.ping.start)

    def end(self, run: Run, code: int, why: str) -> int:
        """Tell how a run ended; return the code it ends with, as the metrics may not be written."""
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
    """Return the code of the larger problem; a stop stays one."""
    return worst([ExitCode(code), other]) if code in _RANKED else code


def _write(path: Path, run: Run, *, is_success: bool) -> None:
    """Write the metrics anew, going on from the file of the run before."""
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
    """Send a ping; one that fails is told here, and by the switch, which hears nothing."""
    try:
        send()
    except AlertError as error:
        say(f"{error} {error.help}", level=Level.WARNING)


def _in_short(code: int, why: str) -> str:
    """Return a ping's body: the exit code and one line, in which nothing stands but what is wrong.

    It goes to somebody else's machine: secrets and addresses are masked.
    """
    line = visible(without_addresses_in(redact(why.splitlines()[0])))[:_LONGEST]
    return line if code in _STOPPED else f"exit {code}: {line}"
