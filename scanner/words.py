"""Evidence in the words of people: `134 days old, limit 90 days`."""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final

from scanner.durations import parse_duration
from scanner.finding import Evidence, describe
from scanner.inventory import Unknown
from scanner.policy.registry import FACTS

_BOUND: Final = re.compile(r"(over|under|at.least|at.most) (.+)")
_DAY: Final = timedelta(days=1)


def in_words(evidence: Evidence) -> str:
    """Say what was observed and what it was held against."""
    value = evidence.value
    if isinstance(value, Unknown):
        return f"{evidence.fact} is unknown: {value.reason}"
    spelled = _spell(value) if isinstance(value, timedelta) else describe(value)
    said = _said(evidence.fact, spelled)
    source = f" (by {evidence.source})" if evidence.source else ""
    is_told = not evidence.limit or evidence.limit == f"is {spelled}"
    return f"{said}{source}" if is_told else f"{said}{source}, {_limit(evidence.limit)}"


@lru_cache(maxsize=4096)
def _said(name: str, value: str) -> str:
    words = FACTS[name].words if name in FACTS else ""
    if isinstance(words, str):
        return words.format(value) if words else f"{name} {value}"
    return words.get(value, f"{name} {value}")


@lru_cache(maxsize=4096)
def _limit(limit: str) -> str:
    """Say a limit: `limit 90 days` for `over 90d`."""
    bound = _BOUND.fullmatch(limit)
    if not bound:
        return f"rule: {limit}"
    how = "limit" if bound[1] == "over" else bound[1].replace("_", " ")
    duration = parse_duration(bound[2])
    return f"{how} {_spell(duration) if duration is not None else bound[2]}"


def _spell(duration: timedelta) -> str:
    """Spell in whole days, from two on; less in hours."""
    if abs(duration) >= 2 * _DAY or not duration % _DAY:
        amount, unit = int(duration / _DAY), "day"
    else:
        amount, unit = int(duration / timedelta(hours=1)), "hour"
    return f"{amount:,} {unit}" if abs(amount) == 1 else f"{amount:,} {unit}s"
