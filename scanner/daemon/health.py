"""The state of the daemon at a moment, as /healthz reports it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_LATE: Final = timedelta(minutes=5)
"""How late a run may start without being overdue: a busy machine, an adjusted clock."""
_UNKNOWN: Final = "the clocks could not be compared: the history has not been read"


class Status(StrEnum):
    """OVERDUE: a run is late. DEGRADED: runs are on time, and a clock or a date is wrong."""

    OK = "ok"
    DEGRADED = "degraded"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of the runs and the clocks. All moments in UTC.

    `due` is the first failed run since the last success, `given_up` why it is not retried,
    `running_since` the start of the running scan, which may take `timeout`. `clock_problems` is
    None if the history could not be read.
    """

    next_run: datetime | None
    grace: timedelta
    timeout: timedelta
    due: datetime | None = None
    given_up: str = ""
    running_since: datetime | None = None
    clock_problems: tuple[str, ...] | None = ()

    def report(self, now: datetime) -> tuple[Status, str]:
        """Return the status, and the reasons why it is not OK, on one line."""
        overdue = self.complaint(now)
        clocks = (_UNKNOWN,) if self.clock_problems is None else self.clock_problems
        status = Status.OVERDUE if overdue else Status.DEGRADED if clocks else Status.OK
        return status, "; ".join((*([overdue] if overdue else []), *clocks))

    def complaint(self, now: datetime) -> str | None:
        """Return why a run is overdue, on one line; None if no run is."""
        return self._of_the_scheduler(now) or self._of_the_runs(now)

    def _of_the_scheduler(self, now: datetime) -> str | None:
        if self.running_since is not None:
            if now - self.running_since > self.timeout + _LATE:
                return f"the scan started at {_at(self.running_since)} has exceeded its timeout"
        elif self.next_run is None:
            return "no run is scheduled"
        elif now - self.next_run > _LATE:
            return f"the run scheduled for {_at(self.next_run)} is overdue: it has not started"
        return None

    def _of_the_runs(self, now: datetime) -> str | None:
        if self.due is None or not (self.given_up or now - self.due > self.grace):
            return None
        return (
            f"the run of {_at(self.due)} is overdue: {self.given_up or 'it has not succeeded yet'}"
        )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
