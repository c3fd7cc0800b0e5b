"""Numbers in a rule's texts that its condition does not compare with. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Final

from scanner.durations import spell_exactly
from scanner.policy.conditions import Condition
from scanner.policy.defect import limits, spell_limit
from scanner.policy.model import Rule

_UNITS: Final = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "m": timedelta(days=30),
    "y": timedelta(days=365),
}
_DURATION: Final = re.compile(
    r"\b([0-9]{1,5})[ -]?(h|hours?|d|days?|w|weeks?|months?|years?)\b", re.ASCII | re.IGNORECASE
)
_COUNT: Final = re.compile(
    r"\b(?:more than|fewer than|less than|at most|at least|over|under|up to) "
    r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\b(?![ -]?(?:h|d|w|hours?|days?|weeks?|months?|years?)\b)",
    re.ASCII | re.IGNORECASE,
)


def contradictions(rule: Rule) -> Iterator[str]:
    """Yield each duration and number of the title and the finding that is none of the limits.

    A rule without limits of that kind contradicts nothing.
    """
    compared = [limit for part in _conditions(rule) for limit in limits(part)]
    durations = {limit for limit in compared if isinstance(limit, timedelta)}
    counts = {limit for limit in compared if isinstance(limit, int | Decimal)}
    for field, text in (("title", rule.text.title), ("finding", rule.finding)):
        for amount, unit in _DURATION.findall(text) if durations else ():
            duration = int(amount) * _UNITS[unit[0].lower()]
            if duration not in durations:
                yield _message(field, spell_exactly(duration), map(spell_limit, durations))
        for amount in _COUNT.findall(text) if counts else ():
            if Decimal(amount) not in counts:
                yield _message(field, amount, map(spell_limit, counts))


def _conditions(rule: Rule) -> Iterator[Condition]:
    yield rule.violated_when
    if rule.applies_to:
        yield rule.applies_to
    yield from (step.when for step in rule.steps)


def _message(field: str, written: str, compared: Iterable[str]) -> str:
    return (
        f"'{field}' names {written}, but the conditions compare with {', '.join(sorted(compared))}"
    )
