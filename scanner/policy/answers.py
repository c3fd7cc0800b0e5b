"""Kleene's three-valued logic, for all keys together.

A set of rows is an integer with one byte per row, 1 for a member: `&`, `|` and `^` take
microseconds for a hundred thousand keys.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import compress
from operator import and_, or_
from typing import Final, NamedTuple

Rows = int
"""A set of rows."""
NO_ROWS: Final[Rows] = 0


class Answers(NamedTuple):
    """The rows for which a condition is true, and false; for all others it is unknown."""

    true: Rows
    false: Rows

    def unknown(self, among: Rows) -> Rows:
        """Return the rows of `among` for which the condition is unknown."""
        return among & ~(self.true | self.false)


def every(answers: Iterable[Answers]) -> Answers:
    """Return the conjunction: false if any is false, else unknown if any is unknown, else true."""
    true, false = zip(*answers, strict=True)
    return Answers(reduce(and_, true), reduce(or_, false))


def some(answers: Iterable[Answers]) -> Answers:
    """Return the disjunction: true if any is true, else unknown if any is unknown, else false."""
    true, false = zip(*answers, strict=True)
    return Answers(reduce(or_, true), reduce(and_, false))


def opposite(answers: Answers) -> Answers:
    """Return the negation; unknown stays unknown."""
    return Answers(answers.false, answers.true)


def agreed(one: Answers, other: Answers) -> Rows:
    """Return the rows where both answers are equal, and all rows beyond the last."""
    return ~((one.true ^ other.true) | (one.false ^ other.false))


def all_rows(count: int) -> Rows:
    """Return the set of the first `count` rows."""
    return rows_of(b"\1" * count)


def rows_of(members: Iterable[int]) -> Rows:
    """Return the set of the rows that have a 1, or True, in `members`; the others have a 0."""
    return int.from_bytes(bytes(members), "little")


def row_set(numbers: Iterable[int], count: int) -> Rows:
    """Return the set of the rows with these numbers, of `count`."""
    members = bytearray(count)
    for number in numbers:
        members[number] = 1
    return int.from_bytes(members, "little")


def numbers_of(rows: Rows, count: int) -> list[int]:
    """Return the numbers of the rows in the set, of `count`, in order."""
    return list(compress(range(count), rows.to_bytes(count, "little")))


def among(numbers: Sequence[int], rows: Rows, count: int) -> list[int]:
    """Return those of `numbers` that are in the set."""
    members = rows.to_bytes(count, "little")
    return [number for number in numbers if members[number]]
