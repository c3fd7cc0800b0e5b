"""A lock that allows one scan of an organization at a time, across machines.

The holder renews a lease, or loses it. Each acquisition has a larger token, and only the latest
token can record: a holder that wakes up after its lease was taken over cannot write.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Float, Row, and_, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from scanner.errors import LockLost, StoreError, StoreLocked
from scanner.ports import Lease
from scanner.store.database import Database
from scanner.store.schema import locks
from scanner.store.statements import upserting

_BEATS: Final = 3
"""Renewals during one lease."""
_DATE: Final = "%Y-%m-%d %H:%M:%S"
_ADJUSTMENT: Final = 5.0
"""Seconds that a clock may be set back, in small steps, during a scan."""


class database_clock(FunctionElement[float]):  # noqa: N801 - named like an SQL function
    """The database's clock, in Unix seconds."""

    type = Float()
    inherit_cache = True


@compiles(database_clock, "sqlite")
def _on_sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_clock, "postgresql")
def _on_postgresql(_element: Any, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401
    return "extract(epoch FROM clock_timestamp())::float8"


def is_held() -> ColumnElement[bool]:
    """Whether a lock is held: its lease has not expired, and its end is plausible."""
    return and_(locks.c.expires_at > database_clock(), ~ends_too_late())


def ends_too_late() -> ColumnElement[bool]:
    """Whether a lock ends later than its lease allows: the clock was ahead at its acquisition."""
    return locks.c.expires_at > database_clock() + locks.c.lease_seconds + _ADJUSTMENT


@contextmanager
def holding(
    database: Database,
    organization: str,
    seconds: float,
    lost: Callable[[LockLost], None] = lambda _error: None,
) -> Iterator[Lease]:
    """Hold the organization's lock while the context lasts, renewing a lease of `seconds`.

    Raise StoreLocked, which names the holder, if it is held. `lost` is called, in a thread of its
    own, if another scan takes it over.
    """
    lease = acquire(database, organization, seconds)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(seconds / _BEATS):
            is_ours = True  # assumed while the database is unreachable
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
        with (
            suppress(StoreError),
            database.writing() as connection,
        ):  # if this fails, the lease expires
            extend(connection, lease, 0)


def extend(connection: Connection, lease: Lease, seconds: float) -> bool:
    """Renew a lease; return whether it is still the latest.

    The row is locked until the transaction ends.
    """
    renewed = connection.execute(
        update(locks)
        .where(locks.c.organization == lease.organization, locks.c.token == lease.token)
        .values(expires_at=database_clock() + seconds)
    )
    return renewed.rowcount == 1


def acquire(database: Database, organization: str, seconds: float) -> Lease:
    """Acquire the lock for `seconds`; raise StoreLocked if it is held."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """A lock whose lease has not expired. `since` and `until` are by the database's clock."""

    organization: str
    holder: str
    token: int
    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"{self.holder}, since {self.since:{_DATE}} UTC"


def held_locks(connection: Connection, *which: ColumnElement[bool]) -> tuple[HeldLock, ...]:
    """Return the locks whose lease has not expired; without `which`, also implausible ones."""
    unfinished = select(locks).where(locks.c.expires_at > database_clock(), *which)
    rows = connection.execute(unfinished.order_by(locks.c.organization))
    return tuple(map(_held_lock, rows))


def unlock(database: Database, held: HeldLock) -> bool:
    """Release a lock before its lease expires; return whether it was still the same lock.

    A scan that still runs under it can no longer record.
    """
    ours = and_(
        locks.c.organization == held.organization,
        locks.c.token == held.token,
        locks.c.expires_at > database_clock(),
    )
    with database.writing() as connection:
        released = update(locks).where(ours).values(expires_at=0, token=locks.c.token + 1)
        return connection.execute(released).rowcount == 1


def taken_over(organization: str) -> LockLost:
    """Return the error for a lease that is no longer the latest."""
    return LockLost(
        f"Another scan of {organization} took over: this machine slept, the database was"
        " unreachable, or the lock was released. This scan was not recorded.",
        help="Use the result of the other scan. The history is intact.",
    )


def _locked(connection: Connection, organization: str) -> StoreLocked:
    row = connection.execute(select(locks).where(locks.c.organization == organization)).one()
    held = _held_lock(row)
    return StoreLocked(
        f"Another scan of {organization} is running: {held}.",
        help=f"Wait until it ends. If it crashed, its lock expires at {held.until:{_DATE}} UTC.",
    )


def _held_lock(row: Row[Any]) -> HeldLock:
    return HeldLock(
        organization=row.organization,
        holder=row.holder,
        token=row.token,
        since=datetime.fromtimestamp(row.acquired_at, UTC),
        until=datetime.fromtimestamp(row.expires_at, UTC),
    )
