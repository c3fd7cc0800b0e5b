"""The operators of the policy language: what they mean, and how they hold a column to a limit."""

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import repeat
from types import MappingProxyType
from typing import Final

from scanner.finding import describe
from scanner.policy.answers import NO_ROWS, Answers, opposite, row_set, rows_of
from scanner.policy.columns import Column
from scanner.policy.expression import compile_expression
from scanner.policy.registry import FactType

Scalar = bool | int | Decimal | str | timedelta
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

_HOLDS_BEYOND: Final = frozenset({Operator.OVER, Operator.AT_LEAST, Operator.NOT, Operator.NONE_OF})
"""What holds for a number beyond the limit; of the others that compare numbers, none does."""
_DECIDED_BY_EQUAL: Final = frozenset({Operator.AT_LEAST, Operator.UNDER})
_NOTHING: Final = Answers(NO_ROWS, NO_ROWS)

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


def column_test(op: Operator, limit: Limit) -> Callable[[Column], Answers]:
    """Make the test that holds a whole column against a limit."""
    if op is Operator.KNOWN:
        return lambda column: _is_known(column, wanted=limit is True)
    compare, absent_holds = _comparison(op, limit), op in _ABSENT_HOLDS

    def test(column: Column) -> Answers:
        holds = rows_of(map(compare, column.filled, repeat(limit))) & column.known
        fails = column.known ^ holds
        if absent_holds:
            holds |= column.absent
        else:
            fails |= column.absent
        for part in (
            _of_narrowed(column, compare, limit) if column.narrowed else _NOTHING,
            _of_bounded(column, op, limit) if column.bounded else _NOTHING,
        ):
            holds |= part.true
            fails |= part.false
        return Answers(holds, fails)

    return test


def _is_known(column: Column, *, wanted: bool) -> Answers:
    is_known = Answers(column.known, column.every ^ column.known)
    return is_known if wanted else opposite(is_known)


def _of_narrowed(column: Column, compare: Callable[..., bool], limit: Limit) -> Answers:
    """Decide what is so whichever of its possible values an unknown has."""
    size = len(column.values)
    answers = [
        (row, {compare(candidate, limit) for candidate in possible})
        for row, possible in column.narrowed
    ]
    return Answers(
        row_set((row for row, answer in answers if answer == {True}), size),
        row_set((row for row, answer in answers if answer == {False}), size),
    )


def _of_bounded(column: Column, op: Operator, limit: Limit) -> Answers:
    """Decide what is so however much an unknown number exceeds its known part."""
    limits = limit if isinstance(limit, tuple) else (limit,)
    exceeds = operator.ge if op in _DECIDED_BY_EQUAL else operator.gt
    beyond = row_set(
        (row for row, known in column.bounded if all(exceeds(known, one) for one in limits)),
        len(column.values),
    )
    return Answers(beyond, NO_ROWS) if op in _HOLDS_BEYOND else Answers(NO_ROWS, beyond)


def _comparison(op: Operator, limit: Limit) -> Callable[..., bool]:
    if op is not Operator.MATCHES:
        return _COMPARISONS[op]
    expression = compile_expression(str(limit))
    return lambda value, _limit: expression.search(value) is not None


def spelled(op: Operator, limit: Limit) -> str:
    """Spell a limit for people: `over 90d`, `is left_org`, `one of a, b`."""
    values = limit if isinstance(limit, tuple) else (limit,)
    return f"{op.value.replace('_', ' ')} {', '.join(describe(value) for value in values)}"
