"""Conditions on the facts of keys, evaluated in Kleene's three-valued logic."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import ClassVar, Protocol

from scanner.collection import Collection
from scanner.finding import Evidence
from scanner.policy.answers import (
    NO_ROWS,
    Answers,
    Rows,
    agreed,
    among,
    every,
    opposite,
    some,
)
from scanner.policy.columns import Column, Facts
from scanner.policy.operators import Limit, Operator, column_test, spelled
from scanner.policy.registry import Fact, FactType, Value

Trail = tuple[Evidence, ...]
"""The evidence for one key."""


class Condition(Protocol):
    """A test that is true, false or unknown for a key.

    `names` are its facts, `needs` the collections they come from beyond projects and keys.
    """

    @property
    def names(self) -> frozenset[str]: ...  # noqa: D102 - described above

    @property
    def needs(self) -> frozenset[Collection]: ...  # noqa: D102 - described above

    def decide(self, facts: Facts) -> Answers:
        """Return the answers for all keys. Never raises."""
        ...

    def evidence(self, facts: Facts, rows: Sequence[int]) -> list[Trail]:
        """Return, for each of these rows, the leaves that decided the answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One fact compared with one limit."""

    fact: Fact
    operator: Operator
    limit: Limit
    _test: Callable[[Column], Answers] = field(init=False, compare=False, repr=False)
    _limit: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make the test, once for all keys."""
        object.__setattr__(self, "_test", column_test(self.operator, self.limit))
        object.__setattr__(self, "_limit", spelled(self.operator, self.limit))

    def __str__(self) -> str:
        """Return it as text: `age over 90d`."""
        return f"{self.fact.name} {self._limit}"

    @property
    def names(self) -> frozenset[str]:
        """The name of its fact."""
        return frozenset({self.fact.name})

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections that the fact needs."""
        return self.fact.needs

    def decide(self, facts: Facts) -> Answers:
        """Compare the fact's column with the limit, or return the cached answers."""
        asked = self.fact.name, self.operator, self.limit
        answers = facts.decided.get(asked)
        if answers is None:
            answers = facts.decided[asked] = self._test(facts[self.fact.name])
        return answers

    def evidence(self, facts: Facts, rows: Sequence[int]) -> list[Trail]:
        """Return the observed value and the limit, for each of these rows."""
        name = self.fact.name
        values = map(facts[name].values.__getitem__, rows)
        sources = facts.sources(name, rows) if self.fact.note else repeat("")
        if self.fact.type is FactType.DURATION:  # nearly all differ
            return list(zip(map(Evidence, repeat(name), values, repeat(self._limit), sources)))
        same = _Trails(name, self._limit)
        return list(map(same.__getitem__, zip(values, sources, strict=False)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Several conditions, of which one can decide alone."""

    parts: tuple[Condition, ...]
    word: ClassVar[str]

    def __str__(self) -> str:
        """Return it as text: `used is yes and idle over 45d`."""
        return f" {self.word} ".join(_inner(part) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """The facts of all parts."""
        return frozenset[str]().union(*(part.names for part in self.parts))

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections that any part needs."""
        return frozenset[Collection]().union(*(part.needs for part in self.parts))

    def decide(self, facts: Facts) -> Answers:
        """Combine the answers of the parts."""
        return self._join(part.decide(facts) for part in self.parts)

    def evidence(self, facts: Facts, rows: Sequence[int]) -> list[Trail]:
        """Return the evidence of the parts whose answer equals the group's."""
        whole = self.decide(facts)
        agreeing = ((part, facts.every & agreed(part.decide(facts), whole)) for part in self.parts)
        return gathered(facts, rows, agreeing)

    def _join(self, answers: Iterable[Answers]) -> Answers:
        raise NotImplementedError


class AllOf(_Group):
    """True if every part is true; false if any is false."""

    __slots__ = ()
    word = "and"

    def _join(self, answers: Iterable[Answers]) -> Answers:
        return every(answers)


class AnyOf(_Group):
    """True if any part is true; false if every part is false."""

    __slots__ = ()
    word = "or"

    def _join(self, answers: Iterable[Answers]) -> Answers:
        return some(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """True if the part is false; unknown stays unknown."""

    part: Condition

    def __str__(self) -> str:
        """Return it as text: `not age over 90d`."""
        return f"not {_inner(self.part)}"

    @property
    def names(self) -> frozenset[str]:
        """The facts of the part."""
        return self.part.names

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections that the part needs."""
        return self.part.needs

    def decide(self, facts: Facts) -> Answers:
        """Return the negation of the part's answers."""
        return opposite(self.part.decide(facts))

    def evidence(self, facts: Facts, rows: Sequence[int]) -> list[Trail]:
        """Return the part's evidence, with negated limits."""
        return [
            tuple(row._replace(limit=_denied(row.limit)) for row in trail)
            for trail in self.part.evidence(facts, rows)
        ]


class _Trails(dict[tuple[Value, str], Trail]):
    """Evidence by value and source: keys with equal facts share it."""

    def __init__(self, fact: str, limit: str) -> None:
        super().__init__()
        self._fact, self._limit = fact, limit

    def __missing__(self, seen: tuple[Value, str]) -> Trail:
        value, source = seen
        trail = self[seen] = (Evidence(self._fact, value, self._limit, source),)
        return trail


def gathered(
    facts: Facts, rows: Sequence[int], parts: Iterable[tuple[Condition, Rows]]
) -> list[Trail]:
    """Return, for each row, the evidence of every part that is paired with the row."""
    trails: dict[int, Trail] = dict.fromkeys(rows, ())
    for part, paired in parts:
        if paired == NO_ROWS:
            continue
        deciding = among(rows, paired, len(facts))
        for row, trail in zip(deciding, part.evidence(facts, deciding), strict=True):
            trails[row] += trail
    return list(trails.values())


def _inner(part: Condition) -> str:
    return f"({part})" if isinstance(part, _Group) else str(part)


def _denied(limit: str) -> str:
    """Return the negation of a limit: `not: over 90d` for `over 90d`, and the reverse."""
    return limit.removeprefix("not: ") if limit.startswith("not: ") else f"not: {limit}"
