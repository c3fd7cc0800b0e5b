"""Checks of an existing history: read and write access, locks and clocks."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select

from scanner.checkup import ClockReading
from scanner.errors import StoreError
from scanner.plausible import CLOCKS_DIFFER
from scanner.ports import Clock
from scanner.store.database import Database, connect, versions
from scanner.store.locks import database_clock, ends_too_late, held_locks, is_held
from scanner.store.schema import locks, scans

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The state of a history. `version` None: no tables yet; `ours` is this program's version.

    `running` lists the organizations that are being scanned, with the lock's holder and its
    start. `clocks` is None if the versions differ.
    """

    place: str
    version: str | None
    ours: str
    running: tuple[str, ...]
    clocks: ClockReading | None = None


def look(place: str, clock: Clock) -> Looked:
    """Check a history with a write that is rolled back; do not migrate it.

    Raise UsageError for an unusable place, or one that a newer KeyVigil wrote; StoreError if it
    cannot be reached, read or written.
    """
    database = connect(place, must_exist=True)
    version, ours = versions(database)
    _check_pages(database)
    running: tuple[str, ...] = ()
    clocks: ClockReading | None = None
    with database.writing() as connection:
        if version == ours:
            held = held_locks(connection, is_held())
            running = tuple(f"{lock.organization}, by {lock}" for lock in held)
            clocks = _clocks(connection, clock)
            nobody = {"organization": f"doctor {secrets.token_hex(8)}", "holder": "", "token": 0}
            times = {"acquired_at": 0.0, "expires_at": 0.0}
            connection.execute(insert(locks).values(**nobody, **times))
        connection.rollback()
    return Looked(place=database.place, version=version, ours=ours, running=running, clocks=clocks)


def read_clocks(place: str, clock: Clock) -> ClockReading | None:
    """Compare this machine's clock and the recorded dates with the database's clock.

    None for a history of another version. Raise as `look` does. Read only.
    """
    database = connect(place, must_exist=True)
    version, ours = versions(database)
    if version != ours:
        return None
    with database.reading() as connection:
        return _clocks(connection, clock)


def _clocks(connection: Connection, clock: Clock) -> ClockReading:
    theirs = datetime.fromtimestamp(connection.execute(select(database_clock())).scalar_one(), UTC)
    here = clock()
    future = select(scans.c.scan_id).where(scans.c.started_at > theirs + CLOCKS_DIFFER)
    latest = future.order_by(scans.c.started_at.desc()).limit(_SHOWN)
    last_end = connection.execute(select(func.max(locks.c.expires_at)).where(ends_too_late()))
    end = last_end.scalar()
    return ClockReading(
        ahead=here - theirs,
        future_scans=tuple(connection.execute(latest).scalars()),
        lock_end=None if end is None else datetime.fromtimestamp(end, UTC),
    )


def _check_pages(database: Database) -> None:
    """Raise StoreError if a SQLite file is damaged."""
    if database.dialect != "sqlite":
        return
    with database.reading() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise StoreError(
            f"The history in {database.place} is damaged: {found}.",
            help="Restore the file from a backup, or move it away to start a new one.",
        )
