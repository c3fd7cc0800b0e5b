"""Durations as people write them: `90d`, `12h`, `2w`, `1d 12h`."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_PART: Final = re.compile(r"([0-9]{1,7})([wdh])", re.ASCII)  # no m: minutes or months?
_WHOLE: Final = re.compile(rf"{_PART.pattern}(?: ?{_PART.pattern}){{0,4}}", re.ASCII)
_SHORT: Final = re.compile(r"(?:([0-9]{1,7})h)? ?(?:([0-9]{1,7})m)? ?(?:([0-9]{1,7})s)?", re.ASCII)


PATTERN: Final = _WHOLE.pattern
SHORT_PATTERN: Final = rf"(?=.*[0-9]){_SHORT.pattern}"
"""What `parse_duration` and `parse_short_duration` read."""


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that `text` spells, or None if it spells none."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(
        (int(amount) * _UNITS[unit] for amount, unit in _PART.findall(text)), start=timedelta()
    )


def parse_short_duration(text: str) -> timedelta | None:
    """Return the duration that hours, minutes and seconds spell, as `10m` or `1h 30m`, or None.

    For what takes less than a day: nobody takes its minutes for months, as in the age of a key.
    """
    match = _SHORT.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(amount or 0) for amount in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Spell a duration in its two largest units, rounded down: `412d 5h`, `90d`, `3h 20m`."""
    if duration < timedelta():
        return f"-{format_duration(-duration)}"
    parts = []
    rest = duration
    for unit in ("d", "h", "m", "s"):
        amount, rest = divmod(rest, _UNITS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2]) or "0s"
