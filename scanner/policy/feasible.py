"""Whether conditions can be true for any key. Pure.

Sound, not complete: conditions that are true for some key are never found impossible. They are
split into branches of tests with a required answer each. In each branch a fact is tried with the
values at and next to every limit, absent, and unknown; then facts that depend on each other are
compared.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import combinations, product
from typing import Final

from scanner.finding import OwnerState
from scanner.inventory import KeyKind, KeyState, OwnerKind, Unknown
from scanner.policy.columns import Given
from scanner.policy.conditions import AllOf, AnyOf, Condition, Leaf, Not
from scanner.policy.facts import FACTS
from scanner.policy.operators import Operator
from scanner.policy.registry import Fact, FactType, Value

_Test = tuple[Leaf, bool]
"""A leaf and its required answer."""
_Branch = tuple[_Test, ...]

_MOST_BRANCHES: Final = 500
_MOMENT: Final = timedelta(microseconds=1)
_FRACTION: Final = Decimal("1e-12")
_UNSEEN: Final = Unknown(reason="not collected")
_OTHER_TEXT: Final = "\0"
"""Represents any text that no condition names."""
_WILD: Final = re.compile(r"[*?\[\]]")

_OF_A_PROJECT: Final = (
    *(name for name in FACTS if name.startswith("project.")),
    "owner.project_role",
    "owner.project_keys",
)
_ABSENT_IF: Final[Mapping[tuple[str, Value], tuple[str, ...]]] = {
    ("key.kind", KeyKind.ADMIN.value): _OF_A_PROJECT,
    ("key.state", KeyState.LIVE.value): ("expired_for",),
    ("expires", False): ("expires_in", "lifetime"),
    ("owner.kind", OwnerKind.SERVICE_ACCOUNT.value): ("owner.email",),
    ("owner.kind", OwnerKind.USER.value): ("owner.created_by",),
}
_NEVER_IF: Final[Mapping[tuple[str, Value], tuple[tuple[str, Value], ...]]] = {
    ("expires", True): (("expires_in", None), ("lifetime", None)),
    ("owner.kind", OwnerKind.USER.value): (("owner.state", OwnerState.SERVICE_ACCOUNT_MISSING),),
    ("owner.kind", OwnerKind.SERVICE_ACCOUNT.value): (("owner.state", OwnerState.LEFT_ORG),),
}
_NOT_OVER: Final = (("idle", "age"), ("owner.project_keys", "owner.keys"))
"""Pairs of facts; the first is never larger than the second."""


def can_hold(conditions: Sequence[Condition]) -> bool:
    """Whether all conditions can be true for one key; True if that cannot be decided."""
    branches = _branches(AllOf(parts=tuple(conditions)), wanted=True)
    return branches is None or any(_is_possible(branch) for branch in branches)


def _branches(condition: Condition, *, wanted: bool) -> list[_Branch] | None:
    """Return the branches in which a condition has the wanted answer; None: too many."""
    match condition:
        case Leaf():
            return [((condition, wanted),)]
        case Not():
            return _branches(condition.part, wanted=not wanted)
        case AllOf() | AnyOf():
            parts = [_branches(part, wanted=wanted) for part in condition.parts]
            return _joined(parts, needs_all=isinstance(condition, AllOf) == wanted)
        case _:
            return None


def _joined(parts: Iterable[list[_Branch] | None], *, needs_all: bool) -> list[_Branch] | None:
    joined: list[_Branch] = [()] if needs_all else []
    for part in parts:
        if part is None or len(joined) * len(part) > _MOST_BRANCHES:
            return None
        if needs_all:
            joined = [(*one, *other) for one, other in product(joined, part)]
        else:
            joined += part
    return joined if len(joined) <= _MOST_BRANCHES else None


def _is_possible(branch: _Branch) -> bool:
    """Whether some key can give every test the wanted answer."""
    by_fact: defaultdict[str, list[_Test]] = defaultdict(list)
    for leaf, wanted in branch:
        by_fact[leaf.fact.name].append((leaf, wanted))
    limits = [limit for leaf, _ in branch for limit in _limits(leaf)]
    fitting = {
        name: [value for value in _candidates(tests, limits) if _fits(name, value, tests)]
        for name, tests in by_fact.items()
    }
    if any(not values for values in fitting.values()):
        return False
    return _agree(fitting) and all(_in_order(fitting, *pair) for pair in _NOT_OVER)


def _fits(name: str, value: Value, tests: Iterable[_Test]) -> bool:
    """Whether a value gives every test of its fact the wanted answer."""
    if value == _OTHER_TEXT:
        return True  # a candidate only if no test excludes it
    facts = Given({name: value})
    answers = [(leaf.decide(facts), wanted) for leaf, wanted in tests]
    return all(answer.true if wanted else answer.false for answer, wanted in answers)


def _limits(leaf: Leaf) -> tuple[Value, ...]:
    if leaf.operator is Operator.KNOWN:
        return ()
    return leaf.limit if isinstance(leaf.limit, tuple) else (leaf.limit,)


def _candidates(tests: Sequence[_Test], limits: Iterable[Value]) -> Iterator[Value]:
    """Yield candidate values of a fact; if any value fits, one of these does."""
    fact = tests[0][0].fact
    yield None
    yield _UNSEEN
    match fact.type:
        case FactType.BOOLEAN:
            yield from (True, False)
        case FactType.CHOICE:
            yield from fact.choices
            if _demands_missing(tests):  # the possible values may decide the other tests
                yield from (Unknown(reason="", possible=frozenset({c})) for c in fact.choices)
        case FactType.DURATION:
            yield timedelta()
            for limit in limits:
                if isinstance(limit, timedelta):
                    yield from (limit - _MOMENT, limit, limit + _MOMENT)
        case FactType.NUMBER:
            yield from _numbers(fact, limits)
        case FactType.TEXT:
            yield from (limit for leaf, _ in tests for limit in _limits(leaf))
            if _allows_other_text(tests):
                yield _OTHER_TEXT


def _demands_missing(tests: Iterable[_Test]) -> bool:
    """Whether a test requires that the value is not known."""
    return any(
        leaf.operator is Operator.KNOWN and leaf.limit is not wanted for leaf, wanted in tests
    )


def _numbers(fact: Fact, limits: Iterable[Value]) -> Iterator[Value]:
    yield 0
    for limit in limits:
        if not isinstance(limit, int | Decimal) or isinstance(limit, bool):
            continue
        step = _FRACTION if fact.decimals else 1
        yield from (number for number in (limit - step, limit, limit + step) if number >= 0)


def _allows_other_text(tests: Sequence[_Test]) -> bool:
    """Whether a text that no condition names may fit all tests."""
    wanted = [(leaf.operator, leaf.limit) for leaf, is_wanted in tests if is_wanted]
    refused = [(leaf.operator, leaf.limit) for leaf, is_wanted in tests if not is_wanted]
    patterns = [str(limit) for op, limit in wanted if op is Operator.LIKE]
    patterns += [str(limit) for op, limit in refused if op is Operator.UNLIKE]
    unlike = [str(limit) for op, limit in wanted if op is Operator.UNLIKE]
    unlike += [str(limit) for op, limit in refused if op is Operator.LIKE]
    is_named = any(op in {Operator.IS, Operator.ONE_OF} for op, _ in wanted)
    is_named |= any(op in {Operator.NOT, Operator.NONE_OF} for op, _ in refused)
    is_contradiction = not set(wanted).isdisjoint(refused) or not set(patterns).isdisjoint(unlike)
    return not (
        is_named
        or _demands_missing(tests)
        or is_contradiction
        or any(not pattern.strip("*") and pattern for pattern in unlike)
        or any(not _overlap(one, other) for one, other in combinations(patterns, 2))
    )


def _overlap(one: str, other: str) -> bool:
    """Whether one text may match both patterns, by their beginnings and ends."""
    begins = [_WILD.split(pattern)[0] for pattern in (one, other)]
    ends = [_WILD.split(pattern)[-1] for pattern in (one, other)]
    return max(begins, key=len).startswith(min(begins, key=len)) and max(ends, key=len).endswith(
        min(ends, key=len)
    )


def _agree(fitting: Mapping[str, Sequence[Value]]) -> bool:
    """Whether facts that exclude each other still have compatible values."""
    for (name, value), absent in _ABSENT_IF.items():
        if fitting.get(name) == [value] and any(
            None not in fitting.get(other, (None,)) for other in absent
        ):
            return False
    for (name, value), excluded in _NEVER_IF.items():
        if fitting.get(name) == [value] and any(
            fitting.get(other) == [never] for other, never in excluded
        ):
            return False
    return True


def _in_order(fitting: Mapping[str, Sequence[Value]], lesser: str, larger: str) -> bool:
    """Whether the first of two facts can be at most the second, or one of them be missing."""
    if lesser not in fitting or larger not in fitting:
        return True
    return any(
        one is None
        or other is None
        or isinstance(one, Unknown)
        or isinstance(other, Unknown)
        or one <= other  # type: ignore[operator]
        for one, other in product(fitting[lesser], fitting[larger])
    )
