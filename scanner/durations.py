"""Durations as people write them: `90d`, `12h`, `2w`, `1d 12h`."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

Figure = TypeVar("Figure", timedelta, Decimal)

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_NAMES: Final = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
# Digits are limited so that no sum exceeds the range of dates. No m: minutes or months?
_PART: Final = re.compile(r"([0-9]{1,4}(?=w)|[0-9]{1,5}(?=d)|[0-9]{1,6}(?=h))([wdh])", re.ASCII)
_WHOLE: Final = re.compile(rf"{_PART.pattern}(?: ?{_PART.pattern}){{0,4}}", re.ASCII)
_SHORT: Final = re.compile(r"(?:([0-9]{1,5})h)? ?(?:([0-9]{1,5})m)? ?(?:([0-9]{1,5})s)?", re.ASCII)


PATTERN: Final = _WHOLE.pattern
SHORT_PATTERN: Final = rf"(?=.*[0-9]){_SHORT.pattern}"
"""What `parse_duration` and `parse_short_duration` read."""


def parse_duration(text: str) -> timedelta | None:
    """Return the duration of a text such as `1d 12h`; None if it is not one."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(
        (int(amount) * _UNITS[unit] for amount, unit in _PART.findall(text)), start=timedelta()
    )


def parse_short_duration(text: str) -> timedelta | None:
    """Return the duration of a text in hours, minutes and seconds, such as `1h 30m`, or None.

    For durations below a day, where `m` cannot be mistaken for months as in the age of a key.
    """
    match = _SHORT.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(amount or 0) for amount in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(duration: timedelta, limit: timedelta | None = None) -> str:
    """Format a duration in its two largest units, rounded down: `412d 5h`, `90d`, `3h 20m`.

    With a limit, use as many units as needed to differ from it visibly.
    """
    if duration < timedelta():
        return f"-{format_duration(-duration, None if limit is None else -limit)}"
    used = [unit for unit, amount in _split(duration) if amount]
    cut = shortened(duration, limit, _cuts(duration, "".join(used[1:2]) or "s"))
    return " ".join(f"{amount:f}{unit}" for unit, amount in _split(cut) if amount) or "0s"


def format_spaced(duration: timedelta) -> str:
    """Spell a duration in its two largest units for people: `3 d 8 h`."""
    return re.sub(r"(?<=[0-9])(?=[a-z])", " ", format_duration(duration))


def format_exactly(duration: timedelta) -> str:
    """Format a duration exactly: `90d 5h 20m`."""
    return format_duration(duration, duration)


def spell(duration: timedelta, limit: timedelta | None = None) -> str:
    """Format in whole days, below two days in hours: `14 days`.

    With a limit, be as exact as needed to differ from it visibly.
    """
    is_long = abs(duration) >= 2 * _UNITS["d"] or not duration % _UNITS["d"]
    return spell_exactly(shortened(duration, limit, _cuts(duration, "d" if is_long else "h")))


@lru_cache(maxsize=4096)
def spell_exactly(duration: timedelta) -> str:
    """Format a duration exactly: `60 days and 3 hours`, `36 hours`."""
    if duration < timedelta():
        return f"-{spell_exactly(-duration)}"
    if duration < 2 * _UNITS["d"] and duration % _UNITS["d"]:
        hours, rest = divmod(duration, _UNITS["h"])
        amounts = [("h", Decimal(hours)), *_split(rest)]
    else:
        amounts = _split(duration)
    spelled = [_counted(amount, _NAMES[unit]) for unit, amount in amounts if amount]
    *others, last = spelled or ["0 days"]
    return f"{', '.join(others)} and {last}" if others else last


def shortened(whole: Figure, limit: Figure | None, cuts: Iterable[Figure]) -> Figure:
    """Return the first cut that is not zero and compares with the limit as the whole does.

    If there is none: the last without a limit, and else the whole.
    """
    cut = whole
    for cut in cuts:
        is_same_side = limit is None or (cut > limit, cut < limit) == (whole > limit, whole < limit)
        if cut and is_same_side:
            return cut
    return cut if limit is None else whole


def _cuts(duration: timedelta, first: str) -> Iterator[timedelta]:
    """Yield the duration cut to that unit, towards zero, and to each smaller one."""
    units = list(_NAMES)
    for unit in units[units.index(first) :]:
        rest = abs(duration) % _UNITS[unit]
        yield duration - rest if duration > timedelta() else duration + rest


def _split(duration: timedelta) -> list[tuple[str, Decimal]]:
    """Return the amount of each unit in a positive duration; only seconds have fractions."""
    amounts = []
    for unit in ("d", "h", "m"):
        amount, duration = divmod(duration, _UNITS[unit])
        amounts.append((unit, Decimal(amount)))
    seconds = Decimal(duration // timedelta(microseconds=1)) / 1_000_000
    return [*amounts, ("s", seconds.normalize())]


def _counted(amount: Decimal, unit: str) -> str:
    return f"{amount:,f} {unit}" if amount == 1 else f"{amount:,f} {unit}s"
