"""Schedules against Debian's cron, over a year with both clock changes, in four zones."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from scanner.cron import parse_cron
from scanner.schedule import Schedule

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana")
"""An hour at night; the same westwards; half an hour; an hour at midnight."""
YEAR = 2026
NEW_YEAR = datetime(YEAR, 1, 1, tzinfo=UTC)
EXPRESSIONS = 200


def schedule(text: str, zone: str, **more: timedelta) -> Schedule:
    return Schedule(cron=parse_cron(text), zone=ZoneInfo(zone), **more)


def made_up(seed: int) -> str:
    """Return an expression as people write them, and as they do not."""
    draw = random.Random(seed)  # noqa: S311 - spreads cases, protects nothing

    def field(low: int, high: int, stars: float) -> str:
        if draw.random() < stars:
            return draw.choice(["*", "*", f"*/{draw.randint(2, high - low)}"])
        first = draw.randint(low, high)
        last = draw.randint(first, high)
        return draw.choice(
            [
                str(first),
                str(first),
                f"{first}-{last}",
                f"{first},{last}",
                f"{low}-{high}/{draw.randint(1, high - low)}",
            ]
        )

    return " ".join(
        (
            field(0, 59, 0.1),
            draw.choice([field(0, 23, 0.2), field(0, 3, 0), "2", "0"]),
            field(1, 31, 0.6),
            field(1, 12, 0.7),
            draw.choice(["*", "*", field(0, 7, 0.3), "mon-fri", "sun"]),
        )
    )


def in_turn(of: Schedule, start: datetime) -> Iterator[datetime]:
    day = start.astimezone(of.zone).date() - timedelta(days=1)
    latest = start
    while True:
        for moment in of.on(day):
            if moment > latest:
                yield moment
                latest = moment
        day += timedelta(days=1)


def changes(zone: str) -> list[datetime]:
    """Return the hours within which the clocks change."""
    hours = [NEW_YEAR + timedelta(hours=hour) for hour in range(24 * 365)]
    offsets = [hour.astimezone(ZoneInfo(zone)).utcoffset() for hour in hours]
    return [at for at, one, next_ in zip(hours, offsets, offsets[1:], strict=False) if one != next_]


def debians(text: str, zone: str) -> set[datetime]:
    """Return what Debian's cron does within the year."""
    simulated = CronSim(text, NEW_YEAR.astimezone(ZoneInfo(zone)))
    due = (moment.astimezone(UTC) for moment in simulated)
    return set(takewhile(lambda moment: moment.year == YEAR, due))


def shown(text: str, zone: str, start: datetime, end: datetime) -> set[datetime]:
    """Return each moment at which the local time matches the schedule."""
    local = [one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in (start, end)]
    asked = CronSim(text, local[0] - timedelta(days=1))
    due = set(takewhile(lambda moment: moment <= local[1] + timedelta(days=1), asked))
    minutes = (start + timedelta(minutes=n) for n in range(int((end - start).total_seconds() / 60)))
    return {m for m in minutes if m.astimezone(ZoneInfo(zone)).replace(tzinfo=None) in due}


def expected(text: str, zone: str) -> list[datetime]:
    """Return when Debian's cron runs.

    Its simulation errs on the days of a change where minute or hour begin with a star: it counts
    whole hours from midnight. There the clock on the wall is asked.
    """
    due = debians(text, zone)
    if parse_cron(text).is_wild:
        for change in changes(zone):
            start, end = change - timedelta(days=2), change + timedelta(days=2)
            due = {moment for moment in due if not start <= moment < end}
            due |= shown(text, zone, start, end)
    return sorted(due)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_two_hundred_schedules_are_due_when_debians_cron_has_them(zone: str) -> None:
    compared = 0
    assert len(changes(zone)) == 2
    for seed in range(EXPRESSIONS):
        text = made_up(seed)
        theirs = expected(text, zone)
        ours = list(takewhile(lambda at: at.year == YEAR, in_turn(schedule(text, zone), NEW_YEAR)))
        assert ours == theirs, text
        compared += len(theirs)
    assert compared > 40_000


def local(of: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(of.zone):%m-%d %H:%M:%S %z}"


@pytest.mark.parametrize("zone", [*ZONES, "UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize("time", ["30 2", "0 0", "15 0", "59 1", "0 3", "45 23", "0 2", "59 2"])
def test_a_nightly_schedule_is_due_once_on_every_local_date(zone: str, time: str) -> None:
    nightly = schedule(f"{time} * * *", zone)
    moment, due = NEW_YEAR - timedelta(days=1), []
    while moment.year <= YEAR:
        moment = nightly.after(moment)
        assert nightly.last(moment) == moment
        assert nightly.last(moment + timedelta(hours=20)) == moment
        due.append(moment)
    dates = Counter(moment.astimezone(nightly.zone).date() for moment in due)
    whole_year = {date(YEAR, 1, 1) + timedelta(days=n) for n in range(365)}
    assert whole_year <= set(dates)
    assert set(dates.values()) == {1}


@pytest.mark.parametrize(
    ("text", "zone", "day", "due"),
    [
        ("30 2 * * *", "Europe/Berlin", "03-29", ["03-29 03:00:00 +0200"]),  # skipped
        ("0,30 2 * * *", "Europe/Berlin", "03-29", ["03-29 03:00:00 +0200"]),
        ("30 2 * * *", "Europe/Berlin", "10-25", ["10-25 02:30:00 +0200"]),  # comes twice
        ("0 0 * * *", "America/Havana", "03-08", ["03-08 01:00:00 -0400"]),
        ("30 0 * * *", "America/Havana", "11-01", ["11-01 00:30:00 -0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "10-04", ["10-04 02:30:00 +1100"]),
        ("30 23 * * *", "America/Nuuk", "03-28", ["03-29 00:00:00 -0100"]),  # the gap ends the day
        ("30 * * * *", "Europe/Berlin", "03-29", None),
        ("30 * * * *", "Europe/Berlin", "10-25", None),
    ],
)
def test_what_a_clock_change_makes_of_a_time(
    text: str, zone: str, day: str, due: list[str] | None
) -> None:
    of = schedule(text, zone)
    moments = of.on(date.fromisoformat(f"{YEAR}-{day}"))
    if due is not None:
        assert [local(of, moment) for moment in moments] == due
        return
    apart = {later - earlier for earlier, later in pairwise(moments)}
    assert apart == {timedelta(hours=1)}
    assert len(moments) == {"03-29": 23, "10-25": 25}[day]


def test_a_date_that_a_country_leaves_out_has_no_run() -> None:
    of = schedule("30 2 * * *", "Pacific/Apia")
    assert of.on(date(2011, 12, 30)) == ()
    last = of.on(date(2011, 12, 29))[0]
    assert of.after(last) - last == timedelta(days=1)
    assert local(of, of.after(last)) == "12-31 02:30:00 +1400"


def test_a_run_starts_within_the_jitter_and_well_before_the_next() -> None:
    nightly = schedule("30 2 * * *", "Europe/Berlin", jitter=timedelta(minutes=10))
    due = nightly.after(NEW_YEAR)
    assert nightly.start(due, 0) == due
    assert nightly.start(due, 1) == due + timedelta(minutes=10)
    often = schedule("* * * * *", "Europe/Berlin", jitter=timedelta(minutes=10))
    due = often.after(NEW_YEAR)
    assert often.start(due, 1) == due + timedelta(seconds=30)


def test_a_leap_day_is_found_both_ways() -> None:
    leap = schedule("0 0 29 2 *", "UTC")
    assert leap.after(NEW_YEAR) == datetime(2028, 2, 29, tzinfo=UTC)
    assert leap.last(NEW_YEAR) == datetime(2024, 2, 29, tzinfo=UTC)
    tuesday = schedule("0 0 29 2 */2", "UTC")  # a star: an even weekday, too
    assert tuesday.after(NEW_YEAR) == datetime(2028, 2, 29, tzinfo=UTC)
