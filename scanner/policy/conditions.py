"""Conditions over a key's facts, decided in Kleene's three-valued logic."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, Protocol

from scanner.finding import Evidence
from scanner.inventory import Collection, Unknown
from scanner.policy.durations import format_duration
from scanner.policy.registry import Fact, FactType, Value
from scanner.policy.subject import Subject

Scalar = bool | int | str | timedelta
Limit = Scalar | tuple[Scalar, ...]


class Operator(StrEnum):
    """How an observed value is held against a limit."""

    IS = "is"
    NOT = "not"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    OVER = "over"
    UNDER = "under"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    LIKE = "like"
    UNLIKE = "unlike"
    KNOWN = "known"


ORDER: Final = frozenset({Operator.OVER, Operator.UNDER, Operator.AT_LEAST, Operator.AT_MOST})
GLOB: Final = frozenset({Operator.LIKE, Operator.UNLIKE})
MANY: Final = frozenset({Operator.ONE_OF, Operator.NONE_OF})
_EQUALITY: Final = frozenset({Operator.IS, Operator.NOT, Operator.KNOWN}) | MANY

OPERATORS: Final[Mapping[FactType, frozenset[Operator]]] = MappingProxyType(
    {
        FactType.BOOLEAN: frozenset({Operator.IS, Operator.NOT, Operator.KNOWN}),
        FactType.CHOICE: _EQUALITY,
        FactType.DURATION: ORDER | {Operator.KNOWN},
        FactType.NUMBER: _EQUALITY | ORDER,
        FactType.TEXT: _EQUALITY | GLOB,
    }
)

_ABSENT_HOLDS: Final = frozenset({Operator.NOT, Operator.NONE_OF, Operator.UNLIKE})
"""What holds for a value that is not there: only the denials do."""

_COMPARISONS: Final[Mapping[Operator, Callable[..., bool]]] = MappingProxyType(
    {
        Operator.IS: operator.eq,
        Operator.NOT: operator.ne,
        Operator.ONE_OF: lambda value, limit: value in limit,
        Operator.NONE_OF: lambda value, limit: value not in limit,
        Operator.OVER: operator.gt,
        Operator.UNDER: operator.lt,
        Operator.AT_LEAST: operator.ge,
        Operator.AT_MOST: operator.le,
        Operator.LIKE: fnmatchcase,
        Operator.UNLIKE: lambda value, limit: not fnmatchcase(value, limit),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """True, False, or None for unknown; `evidence` holds the leaves that made it so."""

    truth: bool | None
    evidence: tuple[Evidence, ...]


class Condition(Protocol):
    """Something that holds for a key, does not, or cannot be told.

    `needs` are the collections its facts come from beyond projects and keys.
    """

    @property
    def needs(self) -> frozenset[Collection]: ...  # noqa: D102 - described above

    def decide(self, subject: Subject) -> Verdict:
        """Decide for one key; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One fact held against one limit."""

    fact: Fact
    operator: Operator
    limit: Limit

    @property
    def needs(self) -> frozenset[Collection]:
        """What the fact needs."""
        return self.fact.needs

    def decide(self, subject: Subject) -> Verdict:
        """Decide for one key; never raises."""
        value = self.fact.read(subject)
        note = self.fact.note(subject) if self.fact.note else ""
        evidence = Evidence(
            fact=self.fact.name,
            observed=f"{describe(value)} (by {note})" if note else describe(value),
            limit=_limit(self.operator, self.limit),
            unknown=value.reason if isinstance(value, Unknown) else "",
        )
        return Verdict(truth=self._holds(value), evidence=(evidence,))

    def _holds(self, value: Value) -> bool | None:
        if self.operator is Operator.KNOWN:
            is_known = value is not None and not isinstance(value, Unknown)
            return is_known is self.limit
        if isinstance(value, Unknown):
            answers = {self._compare(candidate) for candidate in value.possible}
            return answers.pop() if len(answers) == 1 else None
        return self._compare(value)

    def _compare(self, value: Scalar | None) -> bool:
        if value is None:
            return self.operator in _ABSENT_HOLDS
        return _COMPARISONS[self.operator](value, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Holds if every part holds; fails if any fails."""

    parts: tuple[Condition, ...]

    @property
    def needs(self) -> frozenset[Collection]:
        """What any part needs."""
        return frozenset[Collection]().union(*(part.needs for part in self.parts))

    def decide(self, subject: Subject) -> Verdict:
        """Decide for one key; never raises."""
        return _combine(self.parts, subject, decisive=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Holds if any part holds; fails if every part fails."""

    parts: tuple[Condition, ...]

    @property
    def needs(self) -> frozenset[Collection]:
        """What any part needs."""
        return frozenset[Collection]().union(*(part.needs for part in self.parts))

    def decide(self, subject: Subject) -> Verdict:
        """Decide for one key; never raises."""
        return _combine(self.parts, subject, decisive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Holds if the part fails; unknown stays unknown."""

    part: Condition

    @property
    def needs(self) -> frozenset[Collection]:
        """What the part needs."""
        return self.part.needs

    def decide(self, subject: Subject) -> Verdict:
        """Decide for one key; never raises."""
        verdict = self.part.decide(subject)
        truth = None if verdict.truth is None else not verdict.truth
        denied = tuple(replace(row, limit=_denied(row.limit)) for row in verdict.evidence)
        return Verdict(truth=truth, evidence=denied)


def _combine(parts: tuple[Condition, ...], subject: Subject, *, decisive: bool) -> Verdict:
    """One decisive part decides; else one unknown makes the whole unknown; else its opposite."""
    verdicts = [part.decide(subject) for part in parts]
    truths = {verdict.truth for verdict in verdicts}
    truth = decisive if decisive in truths else None if None in truths else not decisive
    evidence = (row for verdict in verdicts if verdict.truth is truth for row in verdict.evidence)
    return Verdict(truth=truth, evidence=tuple(evidence))


def _denied(limit: str) -> str:
    """Turn a limit round: what a `not` holds against is not the limit but its opposite."""
    return limit.removeprefix("not: ") if limit.startswith("not: ") else f"not: {limit}"


def describe(value: Value) -> str:
    """Spell a fact's value for people: `412d 5h`, `yes`, `left_org`, `none`, `unknown: ...`."""
    match value:
        case None:
            return "none"
        case Unknown(reason=reason):
            return f"unknown: {reason}"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return format_duration(value)
        case _:
            return str(value)


def _limit(op: Operator, limit: Limit) -> str:
    """Spell a limit for people: `over 90d`, `is left_org`, `one of a, b`."""
    values = limit if isinstance(limit, tuple) else (limit,)
    return f"{op.value.replace('_', ' ')} {', '.join(describe(value) for value in values)}"
