"""One database: opening, migrating, and running transactions."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from scanner.addresses import without_user
from scanner.errors import NoHistory, StoreAway, StoreError, UsageError
from scanner.folders import make_folder, target_of
from scanner.store.failures import help_for, is_foreign, is_lost, reason

_BUSY: Final = 30.0
"""Seconds to wait for another process's transaction."""
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "keyvigil_version"
_MIGRATION_LOCK: Final = 0x6B657976
_JOURNAL_LOCK: Final = 0x6B657977
"""Advisory locks; arbitrary numbers that other programs are unlikely to use."""
_WRITES: Final = "keyvigil_writes"
_MAGIC: Final = b"SQLite format 3\0"


class Database:
    """A SQLite file or a PostgreSQL database with KeyVigil's tables.

    Each transaction opens its own connection: a scan needs a dozen per hour.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self.place = place
        self._engine = engine
        self._writing_engine = engine.execution_options(**{_WRITES: True})

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in one transaction; raise StoreError for any failure."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in one transaction; on SQLite it blocks all other writers."""
        with self._explained(), self._writing_engine.begin() as connection:
            yield connection

    def prepare_for_readers(self) -> None:
        """Allow reading a SQLite file while it is written (WAL), if the file is writable."""
        if self.dialect == "sqlite":
            # If the file is busy, the next process that opens it sets this.
            with (
                suppress(SQLAlchemyError, sqlite3.Error),
                closing(self._engine.raw_connection()) as connection,
            ):
                connection.cursor().execute("PRAGMA journal_mode=WAL")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, OverflowError, RecursionError, CommandError):
            raise StoreError(
                f"The history in {self.place} contains an invalid value, such as an invalid date.",
                help="Restore it from a backup, or move it away to start a new one.",
            ) from None
        except SQLAlchemyError as error:
            kind = StoreAway if self.dialect == "postgresql" and is_lost(error) else StoreError
            if is_foreign(error) and not _was_database(Path(self.place)):
                raise _not_ours(self.place, "is not a SQLite database") from None
            raise kind(
                f"The history in {self.place} failed: {reason(error)}", help=help_for(error)
            ) from None


def serialize(connection: Connection) -> None:
    """Wait for other transactions that called this; SQLite has only one writer anyway."""
    if connection.dialect.name == "postgresql":
        _lock(connection, _JOURNAL_LOCK)


def _lock(connection: Connection, number: int) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({number})"))


def open_database(place: str, *, must_exist: bool = False) -> Database:
    """Open the file or URL `place` and migrate it; create it unless it `must_exist`.

    Raise as `connect` does; StoreError if it cannot be reached.
    """
    database = connect(place, must_exist=must_exist)
    _bring_up_to_date(database)
    database.prepare_for_readers()
    return database


def connect(place: str, *, must_exist: bool = False) -> Database:
    """Return the database at the file or URL `place`, not migrated; create it unless `must_exist`.

    Raise NoHistory if it must exist and does not, UsageError for an unusable place.
    """
    url, shown = _address(place)
    if must_exist and url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise NoHistory(
            f"No history was found in {shown}.",
            help="Run keyvigil scan to create it, or set --store to another place.",
        )
    if url.get_backend_name() != "sqlite":
        return Database(_postgresql(url), shown)
    path = Path(str(url.database))
    read_only = _read_only(path) if must_exist and path.is_file() else None
    return Database(read_only or _sqlite(url), shown)


def file_of(place: str) -> Path | None:
    """Return the file that `place` names, None for a URL; raise UsageError for anything else."""
    url, _ = _address(place)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def versions(database: Database) -> tuple[str | None, str]:
    """Return the database's schema version, None before the first, and this program's version.

    Raise UsageError if a newer KeyVigil wrote the database.
    """
    scripts = _scripts()
    with database.reading() as connection:
        version = _version(connection)
        _refuse_foreign(database, connection)
    ours = str(scripts.get_current_head())
    _refuse_newer(database, version, scripts)
    return version, ours


def _address(place: str) -> tuple[URL, str]:
    """Return the URL, and its form for messages: without the password."""
    try:
        url = make_url(place) if "://" in place else URL.create("sqlite", database=place)
    except (ArgumentError, ValueError):
        raise _no_place() from None
    if url.get_backend_name() == "sqlite" and url.database:
        path = str(Path(url.database).expanduser().absolute())
        return URL.create("sqlite", database=path), path
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise _no_place()
    shown = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    if url.password is None:  # the user may be the password
        shown = without_user(shown)
    return url.set(drivername="postgresql+psycopg"), shown


def _no_place() -> UsageError:
    return UsageError(
        "The place of the history is neither a file nor a valid postgresql:// URL.",
        help="Use a file, postgresql://user:password@host/database, or none for no history.",
    )


def _not_ours(place: str, why: str) -> UsageError:
    return UsageError(
        f"The history cannot be kept in {place}: it {why}.",
        help="Set --store to the file of a history, or to a file that does not exist yet.",
    )


def _was_database(path: Path) -> bool:
    """Whether a file starts like a SQLite database, or with zeros, as after a power failure."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) in (_MAGIC, bytes(len(_MAGIC)))


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path = target_of(path)
        make_folder(path.parent)
        if path.exists() and not path.is_file():
            raise _not_ours(str(path), "is a folder" if path.is_dir() else "is not a regular file")
        is_new = not path.exists()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if is_new:
            path.chmod(0o600)  # under any umask
    except OSError as error:
        raise UsageError(
            f"The history cannot be kept in {path}: {error.strerror}.",
            help="Set --store to another file, or to none to keep no history.",
        ) from None
    return _sqlite_engine(url.set(database=str(path)))


def _read_only(path: Path) -> Engine | None:
    """Return an engine for a file that cannot be written; None for a writable one."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return None
    query = {"mode": "ro", "uri": "true"}
    log = Path(f"{path}-wal")
    if not log.exists() or not log.stat().st_size:
        query["immutable"] = "1"  # else SQLite creates files beside it
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
    return _sqlite_engine(url)


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": _BUSY})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's type
        connection.isolation_level = None  # transactions begin in `_begin`
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    except SQLAlchemyError:  # its message would repeat an option, which may be a secret
        raise _no_place() from None
    except ImportError:
        raise UsageError(
            "A history in PostgreSQL requires the package psycopg.",
            help="Install the extra: pip install 'keyvigil[postgres]'",
        ) from None


def _bring_up_to_date(database: Database) -> None:
    scripts = _scripts()
    with database.reading() as connection:
        if _version(connection) == scripts.get_current_head():
            return
        _refuse_foreign(database, connection)
    with database.writing() as connection:
        if database.dialect == "postgresql":
            _lock(connection, _MIGRATION_LOCK)
        _refuse_newer(database, _version(connection), scripts)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_foreign(database: Database, connection: Connection) -> None:
    """Raise UsageError for a SQLite file of another program."""
    if database.dialect == "sqlite" and _version(connection) is None:
        tables = "SELECT 1 FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' LIMIT 1"
        if connection.exec_driver_sql(tables).scalar():
            raise _not_ours(database.place, "is a SQLite database of another program")


def _refuse_newer(database: Database, version: str | None, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    if version is not None and version not in known:
        raise UsageError(
            f"The history in {database.place} was written by a newer KeyVigil"
            f" (schema {version}, supported {scripts.get_current_head()}).",
            help="Use that KeyVigil version, or set --store to another place.",
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _version(connection: Connection) -> str | None:
    options = {"version_table": _VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()
