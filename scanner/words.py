"""Evidence as readable text: `134 days old, limit 90 days`."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from scanner.figures import limit_in
from scanner.finding import Evidence, Finding, Outcome, Value, describe
from scanner.inventory import Unknown
from scanner.policy.defect import about_key, for_key, phrase, spell_limit, spell_value

_BOUND: Final = re.compile(r"(over|under|at least|at most) (.+)")
_WHICH: Final = {
    "is": ("is", "is not"),
    "not": ("is not", "is"),
    "one of": ("is one of", "is none of"),
    "none of": ("is none of", "is one of"),
    "like": ("matches", "does not match"),
    "unlike": ("does not match", "matches"),
    "matches": ("matches", "does not match"),
}
"""The words of each operator, and of its negation."""
_DENIED: Final = "not: "
_OPERATION: Final = re.compile(f"({'|'.join(_WHICH)}) (.+)", re.DOTALL)


def title(finding: Finding) -> str:
    """Return the defect with the key's values: `Key is 134 days old (limit 90 days)`.

    An undetermined finding has no such values: it is titled as its rule's findings are together.
    """
    if finding.outcome is Outcome.UNDETERMINED:
        return finding.rule.defect
    if not finding.rule.finding:
        return about_key(" and ".join(evidence_texts(finding.evidence)))
    values = {
        row.fact: spell_value(row.value, limit_in(row.limit))
        for row in finding.evidence
        if not isinstance(row.value, Unknown)
    }
    return for_key(finding.rule.finding, values) or finding.rule.defect


def evidence_texts(rows: Sequence[Evidence], *, limits: bool = True) -> list[str]:
    """Return a finding's evidence as texts, with their `limits`; `used` and `idle` are one."""
    facts = {row.fact: row for row in rows}
    used, idle = facts.get("used"), facts.get("idle")
    if used is None or idle is None or isinstance(used.value, Unknown | None):
        return [_text(row, limits=limits) for row in rows]
    return [_since_creation(row, used, limits=limits) for row in rows if row is not used]


def _text(row: Evidence, *, limits: bool) -> str:
    return in_words(row) if limits else observed_in_words(row)


def _since_creation(row: Evidence, used: Evidence, *, limits: bool) -> str:
    """Return a row as text; a key that was never used is idle since its creation."""
    if row.fact != "idle" or used.value or not isinstance(row.value, timedelta):
        return _text(row, limits=limits)
    words = f"created {spell_value(row.value, limit_in(row.limit))} ago and never used"
    return f"{words}, {_limit(row.limit)}" if limits and row.limit else words


def in_words(evidence: Evidence) -> str:
    """Return the observed value and its limit as text."""
    value, limit = evidence.value, limit_in(evidence.limit)
    if isinstance(value, Unknown):
        if value.at_least is None:
            return f"{evidence.fact} is unknown: {value}"
        part = phrase(evidence.fact, f"at least {spell_value(value.at_least, limit)}")
        return f"{part}, {_limit(evidence.limit)} (the rest is unknown: {value})"
    said = observed_in_words(evidence)
    is_told = evidence.limit in {"", f"is {describe(value, limit)}", "known yes", "known no"}
    return said if is_told else f"{said}, {_limit(evidence.limit)}"


def observed_in_words(evidence: Evidence) -> str:
    """Return what was observed, without the limit: `134 days old`."""
    value = evidence.value
    if isinstance(value, Unknown):
        return in_words(evidence)
    source = f" (by {evidence.source})" if evidence.source else ""
    return f"{_observed(evidence.fact, value, limit_in(evidence.limit))}{source}"


def _observed(fact: str, value: Value, limit: timedelta | Decimal | None) -> str:
    return f"{fact} is absent" if value is None else phrase(fact, spell_value(value, limit))


@lru_cache(maxsize=4096)
def _limit(limit: str) -> str:
    """Return a limit: `limit 90 days` for `over 90d`, `which matches bot-*` for `like bot-*`."""
    is_denied = limit.startswith(_DENIED)
    tested = limit.removeprefix(_DENIED)
    if bound := _BOUND.fullmatch(tested):
        how = "limit" if bound[1] == "over" and not is_denied else bound[1]
        figure = limit_in(tested)
        said = f"{how} {bound[2] if figure is None else spell_limit(figure)}"
        return f"not {said}" if is_denied else said
    if operation := _OPERATION.fullmatch(tested):
        return f"which {_WHICH[operation[1]][is_denied]} {operation[2]}"
    return f"rule: {limit}"
