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
_WHICH: Final = {
    "is": ("is", "is not"),
    "not": ("is not", "is"),
    "one of": ("is one of", "is none of"),
    "none of": ("is none of", "is one of"),
    "like": ("fits", "does not fit"),
    "unlike": ("does not fit", "fits"),
    "matches": ("matches", "does not match"),
}
"""What an operator says of what was observed, and what its denial says."""
_DENIED: Final = "not: "
_OPERATION: Final = re.compile(f"({'|'.join(_WHICH)}) (.+)", re.DOTALL)
_DAY: Final = timedelta(days=1)


def in_words(evidence: Evidence) -> str:
    """Say what was observed and what it was held against."""
    value = evidence.value
    if isinstance(value, Unknown):
        return f"{evidence.fact} is unknown: {value}"
    spelled = spell(value) if isinstance(value, timedelta) else describe(value)
    said = f"{evidence.fact} is absent" if value is None else _said(evidence.fact, spelled)
    source = f" (by {evidence.source})" if evidence.source else ""
    is_told = evidence.limit in {"", f"is {spelled}", "known yes", "known no"}
    return f"{said}{source}" if is_told else f"{said}{source}, {_limit(evidence.limit)}"


@lru_cache(maxsize=4096)
def _said(name: str, value: str) -> str:
    words = FACTS[name].words if name in FACTS else ""
    if isinstance(words, str):
        return words.format(value) if words else f"{name} is {value}"
    return words.get(value, f"{name} is {value}")


@lru_cache(maxsize=4096)
def _limit(limit: str) -> str:
    """Say a limit: `limit 90 days` for `over 90d`, `which fits bot-*` for `like bot-*`."""
    is_denied = limit.startswith(_DENIED)
    tested = limit.removeprefix(_DENIED)
    if bound := _BOUND.fullmatch(tested):
        how = "limit" if bound[1] == "over" and not is_denied else bound[1].replace("_", " ")
        duration = parse_duration(bound[2])
        said = f"{how} {spell(duration) if duration is not None else bound[2]}"
        return f"not {said}" if is_denied else said
    if operation := _OPERATION.fullmatch(tested):
        return f"which {_WHICH[operation[1]][is_denied]} {operation[2]}"
    return f"rule: {limit}"


def spell(duration: timedelta) -> str:
    """Spell in whole days, from two on; less in hours: `14 days`."""
    if abs(duration) >= 2 * _DAY or not duration % _DAY:
        amount, unit = int(duration / _DAY), "day"
    else:
        amount, unit = int(duration / timedelta(hours=1)), "hour"
    return f"{amount:,} {unit}" if abs(amount) == 1 else f"{amount:,} {unit}s"
