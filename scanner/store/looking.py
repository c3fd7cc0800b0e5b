"""A look at a history that is there: can it be read and written, and who holds its locks."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import insert, select

from scanner.errors import StoreError
from scanner.plausible import CLOCKS_DIFFER
from scanner.store.database import Database, connect, versions
from scanner.store.locks import database_clock, is_held
from scanner.store.schema import locks, scans

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen. `version` None: there is nothing of ours in it yet; `ours` is this program's.

    `running` names the organizations that are being scanned, by whom and since when.
    """

    place: str
    version: str | None
    ours: str
    running: tuple[str, ...]
    ahead: tuple[str, ...] = ()
    """Scans that are recorded later than the database's clock."""


def look(place: str) -> Looked:
    """Look at a history, and write into it what is taken back at once; nothing is migrated.

    Raise UsageError for a place that cannot be one, or that a newer KeyVigil wrote; StoreError if
    it cannot be reached, read or written.
    """
    database = connect(place, must_exist=True)
    version, ours = versions(database)
    _check_pages(database)
    running: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    with database.writing() as connection:
        if version == ours:
            held = select(locks).where(is_held())
            running = tuple(
                f"{row.organization}, by {row.holder},"
                f" since {datetime.fromtimestamp(row.acquired_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
                for row in connection.execute(held)
            )
            now = connection.execute(select(database_clock())).scalar_one()
            limit = datetime.fromtimestamp(now, UTC) + CLOCKS_DIFFER
            later = select(scans.c.scan_id).where(scans.c.started_at > limit).limit(_SHOWN)
            ahead = tuple(connection.execute(later).scalars())
            nobody = {"organization": f"doctor {secrets.token_hex(8)}", "holder": "", "token": 0}
            times = {"acquired_at": 0.0, "expires_at": 0.0}
            connection.execute(insert(locks).values(**nobody, **times))
        connection.rollback()
    return Looked(place=database.place, version=version, ours=ours, running=running, ahead=ahead)


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
