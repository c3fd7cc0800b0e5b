"""The daemon: runs due scans, retries failed ones, and always schedules the next."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from scanner.daemon.account import is_done
from scanner.daemon.children import Children, by_organization
from scanner.daemon.clocks import ClockWatch
from scanner.daemon.clockwork import Clockwork
from scanner.daemon.events import Level, Log
from scanner.daemon.health import Health
from scanner.daemon.loading import Loaded, Loading
from scanner.daemon.metrics import Metrics
from scanner.daemon.outcome import Ended, Outcome
from scanner.errors import KeyVigilError, PolicyError
from scanner.ports import Clock
from scanner.schedule import Times

GRACE: Final = timedelta(hours=6)
"""How late a due scan may still start."""
RETRIES: Final = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 45, 120))
_MOST_MISSED: Final = 10_000
_LEVELS: Final = {
    Outcome.DONE: Level.INFO,
    Outcome.SKIPPED: Level.INFO,
    Outcome.INCOMPLETE: Level.WARNING,
    Outcome.LOCKED: Level.WARNING,
    Outcome.STOPPED: Level.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timekeeping:
    """The clock, how late a run may start, and the wait before the retry after each failure."""

    clock: Clock
    grace: timedelta = GRACE
    retries: Sequence[timedelta] = RETRIES


class Daemon:
    """Runs a scan at each due time, and reports its outcome to `log` and `metrics`."""

    def __init__(
        self,
        loading: Loading,
        children: Children,
        metrics: Metrics,
        log: Log,
        keeping: Timekeeping,
    ) -> None:
        """Load the files; raise a KeyVigilError if they are invalid."""
        self._loading = loading
        self._children = children
        self._metrics = metrics
        self._log = log
        self._clock = keeping.clock
        self._grace, self._retries = keeping.grace, keeping.retries
        self._lock = threading.RLock()
        self._loaded: Loaded = loading.load()
        self._state = self._changing = loading.state()
        self._since = self._clock()  # earlier runs do not count as missed
        self._due: datetime | None = None
        self._attempts = 0
        self._retry_at: datetime | None = None
        self._failing: datetime | None = None
        self._given_up = ""
        self._running_since: datetime | None = None
        self._is_ready = self._is_stopping = False
        self._clockwork = Clockwork(
            self._run, missed=self._was_missed, skipped=self._was_skipped, grace=self._grace
        )
        self._clocks = ClockWatch(lambda: children.clocks(self._loaded.environment), metrics, log)

    def start(self) -> None:
        """Start to run scans, first a missed one if it is not too late."""
        self._clockwork.start(self._loaded.times)
        self._log(Level.INFO, "started", schedule=self._loaded.words, next_run=self.next_run())
        threading.Thread(target=self._begin, name="keyvigil-catching-up", daemon=True).start()
        self._clocks.start()

    def stop(self) -> None:
        """Stop running scans; a running scan ends within seconds."""
        self._is_ready, self._is_stopping = False, True
        self._clockwork.stop()
        self._children.stop()
        self._clocks.stop()

    def reload(self, reason: str) -> None:
        """Reload the files; if they are invalid, keep the previous ones and log an error."""
        self._state = self._changing = self._loading.state()
        try:
            loaded = self._loading.load()
        except KeyVigilError as error:
            self._metrics.reloaded(is_valid=False)
            for line in _lines(error):
                self._log(Level.ERROR, "settings_invalid", problem=line)
            self._log(
                Level.ERROR,
                "reload_failed",
                reason=reason,
                kept="the previous settings and policies",
                schedule=self._loaded.words,
            )
            return
        self._metrics.reloaded(is_valid=True)
        self._clocks.check_soon()
        with self._lock:
            has_other_times = loaded.times != self._loaded.times
            self._loaded = loaded
            if has_other_times:
                self._follow(loaded.times)
        self._log(
            Level.INFO, "reloaded", reason=reason, schedule=loaded.words, next_run=self.next_run()
        )

    def look(self) -> None:
        """Check the clock and the files; reload once a changed file is stable."""
        self._clockwork.look()
        state = self._loading.state()
        if state not in (self._state, self._changing):
            self._changing = state
        elif state != self._state:
            self.reload("a file changed")

    def next_run(self) -> datetime | None:
        """Return the start of the next scan."""
        return self._clockwork.next_call()

    @property
    def is_ready(self) -> bool:
        """Whether the daemon runs scans: it has started and is not stopping."""
        return self._is_ready

    def textfiles(self) -> tuple[Path, ...]:
        """Return the metrics files of scans."""
        return self._loaded.textfiles()

    def health(self) -> Health:
        """Return the state of the runs."""
        with self._lock:
            return Health(
                next_run=self.next_run(),
                grace=self._grace,
                timeout=self._loaded.timeout,
                due=self._failing,
                given_up=self._given_up,
                running_since=self._running_since,
                clock_problems=self._clocks.problems,
            )

    def _begin(self) -> None:
        self._catch_up(self._clock())
        self._is_ready = not self._is_stopping

    def _catch_up(self, now: datetime) -> None:
        """Run the last due scan if it is not recorded; count earlier unrecorded ones as missed."""
        loaded = self._loaded
        nights = self._children.recorded(loaded.environment, loaded.organizations)
        if self._is_stopping:
            return
        due = self._loaded.times.last(now)
        if nights is not None and not nights:
            self._log(Level.INFO, "no_history", meaning="no run was missed")
            return
        histories = by_organization(nights or ())
        undone = [history[-1].started_at for history in histories if not is_done(history, due)]
        if histories and not undone:
            latest = max(history[-1].started_at for history in histories)
            self._log(Level.INFO, "up_to_date", last_scan=latest)
            return
        missed = len(list(self._between(min(undone), due))) if undone else 0
        is_in_time = now - due <= self._grace
        if is_in_time:
            with self._lock:
                self._due = due
            self._log(Level.INFO, "catching_up", due=due)
            self._clockwork.call_at(now)
        elif nights is None:
            self._log(Level.WARNING, "missed_run_unknown", due=due)
        elif min(undone) < due:
            missed += 1
        else:
            self._log(Level.WARNING, "last_run_incomplete", last_scan=min(undone))
        self._missed(missed, due)

    def _run(self) -> None:
        """Run the due scan; no failure prevents the next run."""
        with self._lock:
            now = self._clock()
            due, missed = self._take(now)
            self._attempts += 1
            attempt = self._attempts
            self._running_since, self._retry_at = now, None
            loaded = self._loaded
        self._missed(missed, due)
        self._log(Level.INFO, "run_started", due=due, attempt=attempt)
        try:
            self._loading.tidy()
            arguments = (*loaded.arguments, "--unless-since", due.isoformat())
            ended = self._children.scan(arguments, loaded.environment, loaded.timeout)
            if ended.outcome is Outcome.LOCKED and self._is_recorded(loaded, due):
                ended = replace(ended, outcome=Outcome.SKIPPED)
        except Exception as error:  # noqa: BLE001 - an internal error fails one run, not the daemon
            ended = Ended(outcome=Outcome.FAILED, code=-1, error=f"{type(error).__name__}: {error}")
        with self._lock:
            self._running_since = None
            self._metrics.ran(ended.outcome)
            level = _LEVELS.get(ended.outcome, Level.ERROR)
            self._log(level, "run_ended", **ended.fields(self._clock() - now))
            self._conclude(ended, due, attempt)
        self._clocks.check_soon()

    def _is_recorded(self, loaded: Loaded, due: datetime) -> bool:
        """Whether another process has recorded the due run of every organization."""
        nights = self._children.recorded(loaded.environment, loaded.organizations)
        done = [one for one in by_organization(nights or ()) if is_done(one, due)]
        return len(done) >= max(1, len(loaded.organizations))

    def _take(self, now: datetime) -> tuple[datetime, int]:
        """Return the due run, and how many earlier runs were not started."""
        due = self._loaded.times.last(now)
        before = max(self._due or self._since, self._since)
        missed = sum(1 for _ in self._between(before, due))
        if due != self._due:
            self._due, self._attempts = due, 0
        return due, missed

    def _between(self, after: datetime, before: datetime) -> Iterator[datetime]:
        """Yield the due times between two moments, exclusive."""
        moment = after
        for _ in range(_MOST_MISSED):
            moment = self._loaded.times.after(moment)
            if moment >= before:
                return
            yield moment

    def _conclude(self, ended: Ended, due: datetime, attempt: int) -> None:
        """Record the outcome of a run; schedule a retry if one can help."""
        if ended.outcome is Outcome.STOPPED:
            return
        is_recorded = ended.outcome is Outcome.INCOMPLETE
        if ended.outcome.is_success or (is_recorded and ended.is_settled):
            self._failing, self._given_up = None, ""
            return
        self._failing = self._failing or due
        moment = None if ended.is_settled else self._next_attempt(attempt)
        if moment is not None:
            self._retry_at = moment
            self._clockwork.call_at(moment)
            self._log(Level.WARNING, "run_again", at=moment, attempt=attempt + 1)
        elif is_recorded:
            self._failing, self._given_up = None, ""
        else:
            self._given_up = f"given up after attempt {attempt} ({ended.outcome.words})"
            self._log(Level.ERROR, "run_given_up", due=due, next_run=self.next_run())

    def _next_attempt(self, attempt: int) -> datetime | None:
        """Return the time of the next retry; None if no retry is left before the next run."""
        for wait in islice(self._retries, attempt - 1, attempt):
            moment, next_run = self._clock() + wait, self.next_run()
            return moment if next_run is None or moment < next_run else None
        return None

    def _follow(self, times: Times) -> None:
        """Replace the schedule; a failed run of the old schedule is still retried."""
        self._since = self._clock()
        self._clockwork.follow(times)
        next_run = self.next_run()
        if self._retry_at is not None and (next_run is None or self._retry_at < next_run):
            self._clockwork.call_at(self._retry_at)

    def _was_missed(self) -> None:
        with self._lock:
            due, missed = self._take(self._clock())
        self._missed(missed + 1, due)

    def _was_skipped(self) -> None:
        with self._lock:
            due, missed = self._take(self._clock())
        self._metrics.skipped()
        self._log(Level.WARNING, "run_skipped", due=due, reason="the previous run is still active")
        self._missed(missed, due)

    def _missed(self, count: int, due: datetime) -> None:
        if count:
            self._metrics.missed(count)
            self._log(Level.WARNING, "runs_missed", count=count, last_due=due)


def _lines(error: KeyVigilError) -> Sequence[str]:
    """Return the problems of an error, one per line."""
    if isinstance(error, PolicyError):
        return [str(problem) for problem in error.problems]
    return [str(error)]
