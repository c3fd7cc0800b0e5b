"""One scan of an organization at a time, on any number of machines.

A lease that its holder renews; who no longer does loses it. Each acquisition has a larger token,
and nothing is recorded under a token that is not the latest: a sleeper that wakes cannot write.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Float, and_, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from scanner.errors import LockLost, StoreError, StoreLocked
from scanner.ports import Lease
from scanner.store.database import Database, upserting
from scanner.store.schema import locks

_BEATS: Final = 3
"""Renewals in the time of one lease."""
_ADJUSTMENT: Final = 5.0
"""Seconds by which a clock may be set back in small steps while a scan runs."""


class database_clock(FunctionElement[float]):  # noqa: N801 - named as SQL's functions are
    """The database's own clock, in Unix seconds."""

    type = Float()
    inherit_cache = True


@compiles(database_clock, "sqlite")
def _on_sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_clock, "postgresql")
def _on_postgresql(_element: Any, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401
    return "extract(epoch FROM clock_timestamp())::float8"


def is_held() -> ColumnElement[bool]:
    """Whether a lock is held: its lease is not over, and its end is possible."""
    return and_(locks.c.expires_at > database_clock(), ~ends_too_late())


def ends_too_late() -> ColumnElement[bool]:
    """Whether a lock ends later than its lease allows: the clock was ahead when it was taken."""
    return locks.c.expires_at > database_clock() + locks.c.lease_seconds + _ADJUSTMENT


@contextmanager
def holding(
    database: Database,
    organization: str,
    seconds: float,
    lost: Callable[[LockLost], None] = lambda _error: None,
) -> Iterator[Lease]:
    """Hold the organization's lock while the context lasts, renewing a lease of `seconds`.

    Raise StoreLocked, saying who holds it, if somebody does. `lost` is told, in a thread of its
    own, that another took it over.
    """
    lease = acquire(database, organization, seconds)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(seconds / _BEATS):
            is_ours = True  # as far as one can know while the database is away
            with suppress(StoreError), database.writing() as connection:
                is_ours = extend(connection, lease, seconds)
            if not is_ours:
                lost(taken_over(organization))
                return

    beating = threading.Thread(target=renew, name="keyvigil-lease", daemon=True)
    beating.start()
    try:
        yield lease
    finally:
        done.set()
        beating.join()
        with suppress(StoreError), database.writing() as connection:  # else the lease runs out
            extend(connection, lease, 0)


def extend(connection: Connection, lease: Lease, seconds: float) -> bool:
    """Renew a lease; return whether it is still the latest.

    The row stays locked until the transaction ends.
    """
    renewed = connection.execute(
        update(locks)
        .where(locks.c.organization == lease.organization, locks.c.token == lease.token)
        .values(expires_at=database_clock() + seconds)
    )
    return renewed.rowcount == 1


def acquire(database: Database, organization: str, seconds: float) -> Lease:
    """Take the lock for so many seconds; raise StoreLocked if somebody has it."""
    holder = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(4)}"
    values: dict[str, Any] = {
        "holder": holder,
        "acquired_at": database_clock(),
        "expires_at": database_clock() + seconds,
        "lease_seconds": seconds,
    }
    with database.writing() as connection:
        token = connection.execute(
            update(locks)
            .where(locks.c.organization == organization, ~is_held())
            .values(token=locks.c.token + 1, **values)
            .returning(locks.c.token)
        ).scalar()
        if token is None:
            values |= {"organization": organization, "token": 1}
            first = upserting(connection, locks).values(values).on_conflict_do_nothing()
            token = connection.execute(first.returning(locks.c.token)).scalar()
        if token is None:
            raise _locked(connection, organization)
    return Lease(organization=organization, holder=holder, token=token)


def unlock(database: Database, organization: str) -> str | None:
    """Release a lock whatever its lease; return its holder, None if it was not held.

    A scan that still runs under it can record nothing any more.
    """
    with database.writing() as connection:
        held = select(locks.c.holder).where(locks.c.organization == organization, is_held())
        holder: str | None = connection.execute(held).scalar()
        if holder is not None:
            released = update(locks).where(locks.c.organization == organization)
            connection.execute(released.values(expires_at=0, token=locks.c.token + 1))
    return holder


def taken_over(organization: str) -> LockLost:
    """Return what to raise where the lease is not the latest any more."""
    return LockLost(
        f"Another scan of {organization} took over, as this machine slept or the database was away,"
        " so that this one was not recorded.",
        help="Nothing is wrong with the history; the other scan speaks for tonight.",
    )


def _locked(connection: Connection, organization: str) -> StoreLocked:
    held = connection.execute(select(locks).where(locks.c.organization == organization)).one()
    since, until = (
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
        for at in (held.acquired_at, held.expires_at)
    )
    return StoreLocked(
        f"Another scan of {organization} is running: {held.holder}, since {since} UTC.",
        help=f"Wait until it ends. If it died, its lock frees itself at {until} UTC.",
    )
