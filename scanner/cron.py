"""Cron expressions: five fields, names, ranges, steps, lists; mistakes with their position."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

_SUNDAY: Final = 7
NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_PART: Final = re.compile(
    r"(?P<any>[*?])?(?:(?P<low>[0-9]{1,4}|[A-Za-z]+)(?P<to>-(?P<high>[0-9]{1,4}|[A-Za-z]+))?)?"
    r"(?P<by>/(?P<step>[0-9]{1,4}))?",
    re.ASCII,
)
_FOREIGN: Final = re.compile(r"(?i)LW?|L-[0-9]+|[0-9]+[LW]|\w+#[0-9]+", re.ASCII)
_LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class CronError(ValueError):
    """A mistake in an expression; `position` is the character, counted from 1."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"character {position}: {message}")
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """When a schedule is due, in local time. Weekdays count from Sunday, 0.

    `is_any_day`, `is_any_weekday`: that field begins with `*`; then a date must match both fields,
    else one of them. `is_wild`: minute or hour begin with `*`.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_any_day: bool
    is_any_weekday: bool
    is_wild: bool

    def has_day(self, day: date) -> bool:
        """Whether the schedule is due on a date."""
        is_day = day.day in self.days
        is_weekday = day.isoweekday() % _SUNDAY in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            is_due = is_day and is_weekday
        else:
            is_due = is_day or is_weekday
        return is_due and day.month in self.months

    def times(self) -> Iterator[tuple[int, int]]:
        """Yield the hours and minutes of a day on which it is due."""
        return ((hour, minute) for hour in self.hours for minute in self.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)


_FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day of the month", low=1, high=31),
    _Field(name="month", low=1, high=12, names={name: n + 1 for n, name in enumerate(_MONTHS)}),
    _Field(
        name="day of the week", low=0, high=7, names={name: n for n, name in enumerate(_WEEKDAYS)}
    ),
)
_NAMES: Final = ", ".join(one.name for one in _FIELDS)


def parse_cron(text: str) -> Cron:
    """Read an expression; raise CronError for one that crontab and Kubernetes do not share."""
    expression = _expanded(text)
    words = list(re.finditer(r"\S+", expression))
    if len(words) < len(_FIELDS):
        raise CronError(
            len(text.rstrip()) + 1, f"a schedule has five fields: {_NAMES}; found {len(words)}"
        )
    if len(words) > len(_FIELDS):
        extra = words[len(_FIELDS)]
        raise CronError(
            extra.start() + 1,
            f"'{extra[0]}' is one field too many: a schedule has five, {_NAMES}; seconds and years"
            " are not supported",
        )
    found = [
        frozenset(_values(one, word[0], word.start() + 1))
        for one, word in zip(_FIELDS, words, strict=True)
    ]
    is_any = [word[0][0] in "*?" for word in words]
    minutes, hours, days, months, weekdays = found
    cron = Cron(
        text=text.strip(),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % _SUNDAY for day in weekdays),
        is_any_day=is_any[2],
        is_any_weekday=is_any[4],
        is_wild=is_any[0] or is_any[1],
    )
    if not _ever_comes(cron):
        raise CronError(words[2].start() + 1, "none of these months has such a day")
    return cron


def _expanded(text: str) -> str:
    """Return the five fields that a name such as `@daily` stands for."""
    word = text.strip()
    at = text.find(word) + 1
    if word.startswith("@"):
        name = word.lower()
        if name not in NAMED:
            raise CronError(at, f"'{word}' is not a valid schedule{_hint(name, NAMED)}")
        return NAMED[name]
    if re.match(r"(?i)(CRON_)?TZ=", word):
        raise CronError(at, "set the time zone with time_zone or --time-zone instead")
    return text


def _ever_comes(cron: Cron) -> bool:
    """Whether one of the months has one of the days; a weekday alone always occurs."""
    if not (cron.is_any_day or cron.is_any_weekday):
        return True
    return any(day <= _LONGEST_MONTHS[month - 1] for month in cron.months for day in cron.days)


def _values(one: _Field, text: str, at: int) -> Iterator[int]:
    """Yield the values of a field's list; `at` is the position of its first character."""
    for part in text.split(","):
        yield from _part(one, part, at)
        at += len(part) + 1


def _part(one: _Field, text: str, at: int) -> range:
    """Read `*`, `5`, `1-5` or `mon-fri`, with or without a step."""
    if _FOREIGN.fullmatch(text):
        raise CronError(
            at, f"{_shown(text)} is not a valid {one.name}; L, W and # are not part of cron"
        )
    match = _PART.fullmatch(text)
    if match is None or not (match["any"] or match["low"]) or (match["any"] and match["low"]):
        raise CronError(at, f"{_shown(text)} is not a valid {one.name}")
    if match["any"] == "?" and not one.name.startswith("day"):
        raise CronError(at, f"'?' is valid only for a day; write * for any {one.name}")
    step = _step(one, match["step"], at + match.start("step")) if match["by"] else 1
    if match["any"]:
        return range(one.low, one.high + 1, step)
    low = _value(one, match["low"], at)
    if match["to"] is None:
        if match["by"]:
            raise CronError(
                at + match.start("by"),
                f"a step needs a range: write {low}-{one.high}/{step}; Kubernetes reads {text} as"
                " that range, crontab rejects it",
            )
        return range(low, low + 1)
    high = _value(one, match["high"], at + match.start("high"))
    if high == 0 < low and match["high"].isalpha():
        high = _SUNDAY  # fri-sun
    if high < low:
        raise CronError(at, f"the range {match['low']}-{match['high']} is in the wrong order")
    return range(low, high + 1, step)


def _value(one: _Field, text: str, at: int) -> int:
    if not text.isdecimal():
        value = one.names.get(text.lower())
        if value is None:
            raise CronError(
                at, f"'{text}' is not a valid {one.name}{_hint(text.lower(), one.names)}"
            )
        return value
    if not one.low <= float(text) <= one.high:
        raise CronError(at, f"the {one.name} {text} is not between {one.low} and {one.high}")
    return int(text)


def _step(one: _Field, text: str, at: int) -> int:
    most = one.high - one.low + 1
    if not 1 <= float(text) <= most:
        raise CronError(
            at,
            f"the step {text} is not between 1 and {most}: a step counts from the beginning of the"
            " field's range",
        )
    return int(text)


def _shown(text: str) -> str:
    return f"'{text}'" if text else "an empty entry"


def _hint(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(known)}" if known else ": use a number"
