"""The operators of the policy language: their meanings, and how they test a column."""

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
    """How an observed value is compared with a limit."""

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
        Operator.IS: "The value equals this one. Short form: `{ used: false }`.",
        Operator.NOT: "The value is different or absent.",
        Operator.ONE_OF: "The value is in the list. Short form: `{ owner.state: [a, b] }`.",
        Operator.NONE_OF: "The value is not in the list, or absent.",
        Operator.OVER: "The value is larger than the limit, not equal.",
        Operator.UNDER: "The value is smaller than the limit, not equal.",
        Operator.AT_LEAST: "The value is equal to the limit or larger.",
        Operator.AT_MOST: "The value is equal to the limit or smaller.",
        Operator.LIKE: "The text matches the pattern: * is any text, ? one character, [ab] one of"
        " these characters; case-sensitive.",
        Operator.UNLIKE: "The text does not match the pattern, or is absent.",
        Operator.MATCHES: "The regular expression matches a part of the text; ^ and $ are its start"
        " and end; case-sensitive.",
        Operator.KNOWN: "true: there is a value; false: it is absent or unknown.",
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
    """Return the operators for facts of this type, in the order of the docs."""
    return tuple(op for op in Operator if op in OPERATORS[type_])


_ABSENT_HOLDS: Final = frozenset({Operator.NOT, Operator.NONE_OF, Operator.UNLIKE})
"""The operators that are true for an absent value: only the negative ones."""

_HOLDS_BEYOND: Final = frozenset({Operator.OVER, Operator.AT_LEAST, Operator.NOT, Operator.NONE_OF})
"""The operators that are true for a number beyond the limit; all other comparisons are false."""
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
    """Return the test that compares a whole column with a limit."""
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
    """Return the answers that are equal for all possible values of an unknown."""
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
    """Return the answers that the known part of an unknown number already decides."""
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
    """Return a limit as text: `over 90d`, `is left_org`, `one of a, b`."""
    values = limit if isinstance(limit, tuple) else (limit,)
    return f"{op.value.replace('_', ' ')} {', '.join(describe(value) for value in values)}"
