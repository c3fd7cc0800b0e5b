"""Conditions over a key's facts, decided in Kleene's three-valued logic."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from scanner.finding import Evidence, describe
from scanner.inventory import Collection, Unknown
from scanner.policy.expression import compile_expression
from scanner.policy.registry import Fact, FactType, Values

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
    MATCHES = "matches"
    KNOWN = "known"


MEANINGS: Final[Mapping[Operator, str]] = MappingProxyType(
    {
        Operator.IS: "The value is exactly this one. `{ used: false }` is short for it.",
        Operator.NOT: "The value is another one, or there is none.",
        Operator.ONE_OF: "The value is in the list. `{ owner.state: [a, b] }` is short for it.",
        Operator.NONE_OF: "The value is not in the list, or there is none.",
        Operator.OVER: "The value is larger; equal is not enough.",
        Operator.UNDER: "The value is smaller; equal is not enough.",
        Operator.AT_LEAST: "The value is equal or larger.",
        Operator.AT_MOST: "The value is equal or smaller.",
        Operator.LIKE: "The text fits the pattern: * any run of characters, ? one, [ab] one of;"
        " case counts.",
        Operator.UNLIKE: "The text does not fit the pattern, or there is none.",
        Operator.MATCHES: "The regular expression is found somewhere in the text; ^ and $ stand for"
        " its ends, case counts.",
        Operator.KNOWN: "true: there is a value; false: it is absent or could not be seen.",
    }
)

ORDER: Final = frozenset({Operator.OVER, Operator.UNDER, Operator.AT_LEAST, Operator.AT_MOST})
GLOB: Final = frozenset({Operator.LIKE, Operator.UNLIKE})
PATTERN: Final = GLOB | {Operator.MATCHES}
MANY: Final = frozenset({Operator.ONE_OF, Operator.NONE_OF})
_EQUALITY: Final = frozenset({Operator.IS, Operator.NOT, Operator.KNOWN}) | MANY

OPERATORS: Final[Mapping[FactType, frozenset[Operator]]] = MappingProxyType(
    {
        FactType.BOOLEAN: frozenset({Operator.IS, Operator.NOT, Operator.KNOWN}),
        FactType.CHOICE: _EQUALITY,
        FactType.DURATION: ORDER | {Operator.KNOWN},
        FactType.NUMBER: _EQUALITY | ORDER,
        FactType.TEXT: _EQUALITY | PATTERN,
    }
)


def operators_of(type_: FactType) -> tuple[Operator, ...]:
    """Return the operators that fit a fact of this type, in the order of the docs."""
    return tuple(op for op in Operator if op in OPERATORS[type_])


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


Test = Callable[[Values], bool | None]
"""True, False, or None for unknown."""


class Condition(Protocol):
    """Something that holds for a key, does not, or cannot be told.

    `needs` are the collections its facts come from beyond projects and keys. `test` decides for
    one key's values, and never raises.
    """

    @property
    def needs(self) -> frozenset[Collection]: ...  # noqa: D102 - described above
    @property
    def test(self) -> Test: ...  # noqa: D102 - described above

    def evidence(self, values: Values) -> tuple[Evidence, ...]:
        """Return the leaves that made the answer what it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One fact held against one limit."""

    fact: Fact
    operator: Operator
    limit: Limit
    test: Test = field(init=False, compare=False, repr=False)
    _limit: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make the test, once for all keys."""
        object.__setattr__(self, "test", _leaf_test(self.fact.name, self.operator, self.limit))
        object.__setattr__(self, "_limit", _spelled(self.operator, self.limit))

    def __str__(self) -> str:
        """Spell it: `age over 90d`."""
        return f"{self.fact.name} {self._limit}"

    @property
    def needs(self) -> frozenset[Collection]:
        """What the fact needs."""
        return self.fact.needs

    def evidence(self, values: Values) -> tuple[Evidence, ...]:
        """Return what was observed and the limit."""
        name = self.fact.name
        source = values.source(name) if self.fact.note else ""
        return (Evidence(name, values[name], self._limit, source),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Parts of which one with the truth `decisive` decides."""

    parts: tuple[Condition, ...]
    test: Test = field(init=False, compare=False, repr=False)
    decisive: ClassVar[bool]
    word: ClassVar[str]

    def __str__(self) -> str:
        """Spell it: `used is yes and idle over 45d`."""
        return f" {self.word} ".join(_inner(part) for part in self.parts)

    def __post_init__(self) -> None:
        """Make the test, once for all keys."""
        tests = tuple(part.test for part in self.parts)
        object.__setattr__(self, "test", _group_test(tests, decisive=self.decisive))

    @property
    def needs(self) -> frozenset[Collection]:
        """What any part needs."""
        return frozenset[Collection]().union(*(part.needs for part in self.parts))

    def evidence(self, values: Values) -> tuple[Evidence, ...]:
        """Return the evidence of the parts whose answer is the group's."""
        truth = self.test(values)
        deciding = (part for part in self.parts if part.test(values) is truth)
        return tuple(row for part in deciding for row in part.evidence(values))


class AllOf(_Group):
    """Holds if every part holds; fails if any fails."""

    __slots__ = ()
    decisive = False
    word = "and"


class AnyOf(_Group):
    """Holds if any part holds; fails if every part fails."""

    __slots__ = ()
    decisive = True
    word = "or"


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Holds if the part fails; unknown stays unknown."""

    part: Condition
    test: Test = field(init=False, compare=False, repr=False)

    def __str__(self) -> str:
        """Spell it: `not age over 90d`."""
        return f"not {_inner(self.part)}"

    def __post_init__(self) -> None:
        """Make the test, once for all keys."""
        object.__setattr__(self, "test", _not_test(self.part.test))

    @property
    def needs(self) -> frozenset[Collection]:
        """What the part needs."""
        return self.part.needs

    def evidence(self, values: Values) -> tuple[Evidence, ...]:
        """Return the part's evidence, its limits turned round."""
        rows = self.part.evidence(values)
        return tuple(row._replace(limit=_denied(row.limit)) for row in rows)


def _inner(part: Condition) -> str:
    return f"({part})" if isinstance(part, _Group) else str(part)


def _leaf_test(name: str, op: Operator, limit: Limit) -> Test:
    if op is Operator.KNOWN:
        return lambda values: (not isinstance(values[name], Unknown | None)) is limit
    compare, absent = _comparison(op, limit), op in _ABSENT_HOLDS

    def test(values: Values) -> bool | None:
        value = values[name]
        if value is None:
            return absent
        if value.__class__ is Unknown:
            return _of_possible(value, compare, limit)
        return compare(value, limit)

    return test


def _comparison(op: Operator, limit: Limit) -> Callable[..., bool]:
    if op is not Operator.MATCHES:
        return _COMPARISONS[op]
    expression = compile_expression(str(limit))
    return lambda value, _limit: expression.search(value) is not None


def _of_possible(unknown: Unknown, compare: Callable[..., bool], limit: Limit) -> bool | None:
    """Decide what is so whichever of its possible values the unknown has."""
    answers = {compare(candidate, limit) for candidate in unknown.possible}
    return answers.pop() if len(answers) == 1 else None


def _group_test(tests: tuple[Test, ...], *, decisive: bool) -> Test:
    """One decisive part decides; else one unknown makes the whole unknown; else its opposite."""

    def test(values: Values) -> bool | None:
        answer: bool | None = not decisive
        for part in tests:
            truth = part(values)
            if truth is decisive:
                return decisive
            if truth is None:
                answer = None
        return answer

    return test


def _not_test(part: Test) -> Test:
    def test(values: Values) -> bool | None:
        truth = part(values)
        return None if truth is None else not truth

    return test


def _denied(limit: str) -> str:
    """Turn a limit round: what a `not` holds against is not the limit but its opposite."""
    return limit.removeprefix("not: ") if limit.startswith("not: ") else f"not: {limit}"


def _spelled(op: Operator, limit: Limit) -> str:
    """Spell a limit for people: `over 90d`, `is left_org`, `one of a, b`."""
    values = limit if isinstance(limit, tuple) else (limit,)
    return f"{op.value.replace('_', ' ')} {', '.join(describe(value) for value in values)}"
