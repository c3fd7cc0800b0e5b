"""The facts of many keys, one column per fact: the input of conditions."""

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import compress
from typing import Final

from scanner.finding import Value
from scanner.inventory import KeyState, Unknown
from scanner.policy.answers import NO_ROWS, Answers, Rows, all_rows, row_set, rows_of
from scanner.policy.registry import FACTS
from scanner.policy.subject import Subject

KEY_STATE: Final = "key.state"
_NOT_VALUES: Final = frozenset({type(None), Unknown})


class Column:
    """One fact of many keys.

    `known` are the rows with a value, `absent` those whose key has no such attribute; the others
    are unknown. `filled` has a known value in every row, another row's if its own is not known; it
    is empty if no row has one. `narrowed` has the values that unknown ones can still have,
    `bounded` the known part of unknown numbers.
    """

    __slots__ = ("absent", "bounded", "every", "filled", "known", "narrowed", "values")

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = values
        self.every = self.known = all_rows(len(values))
        self.absent = NO_ROWS
        self.filled = values
        self.narrowed: tuple[tuple[int, frozenset[str]], ...] = ()
        self.bounded: tuple[tuple[int, int | Decimal], ...] = ()
        if not _NOT_VALUES.isdisjoint(map(type, values)):
            self._tell_apart()

    def _tell_apart(self) -> None:
        is_known = [type(value) not in _NOT_VALUES for value in self.values]
        some = next(compress(self.values, is_known), None)
        self.filled = (
            [value if known else some for value, known in zip(self.values, is_known, strict=True)]
            if any(is_known)
            else ()
        )
        self.known = rows_of(is_known)
        self.absent = rows_of(value is None for value in self.values)
        self.narrowed = tuple(
            (row, value.possible)
            for row, value in enumerate(self.values)
            if isinstance(value, Unknown) and value.possible
        )
        self.bounded = tuple(
            (row, value.at_least)
            for row, value in enumerate(self.values)
            if isinstance(value, Unknown) and value.at_least is not None
        )


class Facts:
    """The facts of some keys, one row per key; a column is read on first access.

    `decided` caches the answers of conditions that several rules share.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.subjects = subjects
        self.decided: dict[Hashable, Answers] = {}
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.subjects)

    @cached_property
    def every(self) -> int:
        """All rows."""
        return all_rows(len(self))

    def __getitem__(self, name: str) -> Column:
        """Return a fact's column."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column(self._read(name))
        return column

    @cached_property
    def dead(self) -> Rows:
        """The keys that are certainly not live."""
        column = self[KEY_STATE]
        known = column.known & rows_of(value != KeyState.LIVE for value in column.filled)
        narrowed = (row for row, possible in column.narrowed if KeyState.LIVE not in possible)
        return known | row_set(narrowed, len(self))

    def sources(self, name: str, rows: Sequence[int]) -> list[str]:
        """Return the source of a fact in each of these rows; "" if there is only one."""
        note = FACTS[name].note
        return [note(self.subjects[row]) if note else "" for row in rows]

    def _read(self, name: str) -> Sequence[Value]:
        return list(map(FACTS[name].read, self.subjects))


class Given(Facts):
    """The facts of one example key: missing facts are unknown, except that the key is live."""

    def __init__(self, facts: Mapping[str, Value]) -> None:
        super().__init__(())
        self._given = facts

    def __len__(self) -> int:
        return 1

    def sources(self, _name: str, rows: Sequence[int]) -> list[str]:
        """Return "": the values of an example have no source."""
        return [""] * len(rows)

    def _read(self, name: str) -> Sequence[Value]:
        other = Unknown(reason=f"the example does not contain '{name}'")
        return (self._given.get(name, KeyState.LIVE if name == KEY_STATE else other),)
