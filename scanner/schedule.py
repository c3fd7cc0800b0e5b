"""Due times of cron expressions as in crontab, in any time zone and across clock changes.

If both the day of the month and the day of the week are restricted, either one suffices, as in
Vixie cron.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Protocol

from scanner.cron import Cron

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_LONGEST_GAP: Final = timedelta(hours=3)
"""After a longer gap, cron assumes that the clock was set by hand and no time was skipped."""
_HORIZON: Final = 40 * 366
"""Days; within these, each weekday falls on a 29th of February."""


class Times(Protocol):
    """The due times of runs, all in UTC."""

    def after(self, moment: datetime) -> datetime:
        """Return the next due time after a moment."""
        ...

    def last(self, moment: datetime) -> datetime:
        """Return the latest due time up to a moment, that moment included."""
        ...

    def start(self, due: datetime, share: float) -> datetime:
        """Return when the run due at `due` begins; `share` is a random number, 0 to 1, per run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Implements Times with a cron expression in a time zone.

    A time that a clock change skips is due right after the change; one that occurs twice is due
    the first time. If minute or hour begin with `*`, both occurrences are due, as in crontab.
    """

    cron: Cron
    zone: tzinfo
    jitter: timedelta = timedelta()

    def after(self, moment: datetime) -> datetime:
        """Return the next due time after a moment."""
        first = moment.astimezone(self.zone).date() - _DAY
        days = (first + number * _DAY for number in range(_HORIZON))
        return next(
            min(later)
            for day in days
            if (later := [one for one in self._near(day, _DAY) if one > moment])
        )

    def last(self, moment: datetime) -> datetime:
        """Return the latest due time up to a moment, that moment included."""
        first = moment.astimezone(self.zone).date() + _DAY
        days = (first - number * _DAY for number in range(_HORIZON))
        return next(
            max(earlier)
            for day in days
            if (earlier := [one for one in self._near(day, -_DAY) if one <= moment])
        )

    def start(self, due: datetime, share: float) -> datetime:
        """Return `due` plus a share of the jitter, at most halfway to the next due time.

        This spreads daemons with the same schedule.
        """
        return due + min(self.jitter, (self.after(due) - due) / 2) * share

    def on(self, day: date) -> tuple[datetime, ...]:
        """Return the due times of one local date, in order, each once."""
        if not self.cron.has_day(day):
            return ()
        due = (one for time in self.cron.times() for one in self._moments(day, *time))
        return tuple(sorted(set(due)))

    def _near(self, day: date, step: timedelta) -> Iterable[datetime]:
        """Return the due times of a day and of the next one in `step`; these can overlap."""
        return (*self.on(day), *self.on(day + step))

    def _moments(self, day: date, hour: int, minute: int) -> Iterator[datetime]:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
        moments = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        wall = local.replace(tzinfo=None)
        shown = [one for one in moments if _shown(one, self.zone) == wall]
        if shown:
            yield from shown if self.cron.is_wild else shown[:1]
        elif not self.cron.is_wild and moments[0] - moments[1] <= _LONGEST_GAP:
            yield self._change(moments[1], moments[0])

    def _change(self, before: datetime, after: datetime) -> datetime:
        """Return the first moment after the clock change between the two given moments."""
        offset = before.astimezone(self.zone).utcoffset()
        while after - before > _SECOND:
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if middle.astimezone(self.zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after


def _shown(moment: datetime, zone: tzinfo) -> datetime:
    """Return the local time, without zone."""
    return moment.astimezone(zone).replace(tzinfo=None)
