"""Statements that both databases take: rows in parts, and rows that may exist already."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

_IN_ONE_QUERY: Final = 500

Item = TypeVar("Item")


def in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield a few items at a time: what a query, and the memory, can hold."""
    for start in range(0, len(items), _IN_ONE_QUERY):
        yield items[start : start + _IN_ONE_QUERY]


def upserting(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that can say what to do about rows that are there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
