"""Opening a database: it is created, migrated, or refused with a reason."""

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import scanner.store.database as opening
from scanner.errors import StoreAway, StoreError, UsageError
from scanner.lifecycle import Resolution
from scanner.store.database import Database, open_database
from scanner.store.failures import help_for
from scanner.store.looking import look
from scanner.store.schema import metadata
from scanner.wiring import now
from tests.factories import NOW
from tests.store.making import ACME, a_case, a_store, night, record
from tests.support.prose import Prose

FIRST = "0001"


def of_first_version(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create a database of the first schema, with one recorded scan in plain SQL."""
    upgrade = command.upgrade

    def to_first(config: Config, _revision: str) -> None:
        upgrade(config, FIRST)

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", to_first)
        database = open_database(place)
    made, case = night(NOW), a_case(resolved_at=NOW, resolution=Resolution.FIXED)
    at = NOW.isoformat(sep=" ") if database.dialect == "postgresql" else f"{NOW:%Y-%m-%d %H:%M:%S}"
    end = at.replace("03:00:00", "03:00:02.000005")
    scan = {
        "scan_id": made.scan_id,
        "organization": ACME,
        "started_at": at,
        "finished_at": end,
        "policies": json.dumps(made.policies),
        "complete": True,
        "projects": made.projects,
        "keys": made.keys,
        "by_severity": json.dumps(made.by_severity),
        "excepted": made.excepted,
        "undetermined": made.undetermined,
        "opened": made.opened,
        "resolved": made.resolved,
        "unverified": made.unverified,
        "remedied": made.remedied,
        "remedy_seconds": made.remedy_time.total_seconds(),
    }
    names = (name for name in case._fields if name not in {"facts", "grading"})
    dates = ("first_seen", "opened_at", "last_seen", "resolved_at")
    row = {name: at if name in dates else getattr(case, name) for name in names}
    row |= {"organization": ACME, "facts": '["age"]'}
    with database.writing() as connection:
        for table, values in (("scans", scan), ("cases", row)):
            places = ", ".join(f":{name}" for name in values)
            sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"  # noqa: S608 - constant names
            connection.execute(text(sql), values)
        connection.execute(
            text("INSERT INTO snapshots (scan_id, content) VALUES (:scan_id, :content)"),
            {"scan_id": made.scan_id, "content": b"seen"},
        )


def version(database: Database) -> Any:
    with database.reading() as connection:
        return connection.execute(text("SELECT version_num FROM keyvigil_version")).scalar()


def test_the_migrations_create_the_schema_of_the_code(place: str) -> None:
    database = open_database(place)
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "keyvigil_version", "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_history_of_the_first_schema_version_is_kept(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_first_version(place, monkeypatch)
    store = a_store(place)
    unrecorded = night(NOW, rules=None, sources=())
    assert store.nights(ACME, 10) == (unrecorded,)
    assert store.reported(unrecorded.scan_id) is None
    closed = a_case(resolved_at=NOW, resolution=Resolution.FIXED)
    assert store.cases(ACME, ["f1"]) == (closed,)
    assert store.snapshot(night(NOW).scan_id) == b"seen"
    database = open_database(place)
    assert version(database) != FIRST
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM deliveries")).scalar() == 0


def test_a_history_of_a_newer_version_is_refused_and_not_changed(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '9999'"))
    with pytest.raises(UsageError) as caught:
        open_database(place)
    assert "9999" in str(caught.value)
    assert version(database) == "9999"


def test_a_new_history_can_be_opened_in_parallel(place: str) -> None:
    opened: list[Database] = []
    barrier = threading.Barrier(6)

    def begin() -> None:
        barrier.wait()
        opened.append(open_database(place))

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({version(database) for database in opened}) == 1
    assert len(opened) == 6


def test_a_migration_that_fails_changes_nothing(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def breaks(config: Config, revision: str) -> None:
        upgrade(config, revision)
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", breaks)
        with pytest.raises(OSError, match="power"):
            open_database(place)
    record(a_store(place), NOW)


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.db"
    database = open_database(str(path))
    with database.writing() as connection:
        connection.execute(text("DELETE FROM locks"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes) == {"history.db", "history.db-wal", "history.db-shm"}
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_new_file_can_be_read_and_written_under_any_umask(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    before = os.umask(0o777)
    try:
        open_database(str(path))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("mysql://root:geheim@localhost/x", "postgresql://"),
        ("http://localhost:port/x", "postgresql://"),
        ("postgresql://u@localhost/x?port=geheim", "postgresql://"),
        ("postgresql://u@localhost/x?plugin=geheim", "postgresql://"),
        ("/proc/none/history.db", "/proc/none/history.db"),
    ],
)
def test_an_unusable_place_is_refused(place: str, named: str, prose: Prose) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        open_database(place)
    assert "geheim" not in str(caught.value)
    prose(f"{caught.value}\n{caught.value.help}")


def test_a_file_that_is_not_a_database_is_refused_and_not_changed(
    tmp_path: Path, prose: Prose
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes " * 1000)
    with pytest.raises(UsageError, match=str(path)) as caught:
        open_database(str(path))
    assert path.read_text() == "my notes " * 1000
    prose(f"{caught.value}\n{caught.value.help}")


def test_an_unreachable_database_is_reported_without_its_password() -> None:
    with pytest.raises(StoreError, match="refused") as caught:
        open_database("postgresql://scanner:geheim@127.0.0.1:9/history")
    assert "scanner:***@127.0.0.1:9/history" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_user_without_a_password_is_masked_because_it_may_be_one() -> None:
    with pytest.raises(StoreError) as caught:
        open_database("postgresql://geheim@127.0.0.1:9/history")
    assert "***@127.0.0.1:9/history" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.slow
def test_a_terminated_connection_raises_store_away(server: Any) -> None:
    server.psql("CREATE DATABASE away")
    database = open_database(server.get_uri("away"))
    ended = pytest.raises(StoreAway, match="terminating connection due to administrator")
    with ended, database.reading() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with pytest.raises(StoreError) as caught, database.reading() as connection:
        connection.execute(text("SELECT 1 / 0"))
    assert type(caught.value) is StoreError


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object, **_options: object) -> None:
        raise ImportError("No module named 'psycopg'")

    monkeypatch.setattr(opening, "create_engine", missing)
    with pytest.raises(UsageError) as caught:
        open_database("postgresql://localhost/history")
    assert "keyvigil[postgres]" in str(caught.value.help)


def test_a_file_can_be_named_by_its_url(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/a b?c.db".replace("?", "%3F"))
    open_database(str(tmp_path / "100%25 #1?.db"))
    assert {path.name for path in tmp_path.iterdir()} == {"a b?c.db", "100%25 #1?.db"}


def test_a_file_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    text_file, foreign = tmp_path / "notes.md", tmp_path / "other.db"
    text_file.write_text("# Notes\n")
    with closing(sqlite3.connect(foreign)) as other, other:
        other.execute("CREATE TABLE theirs (a)")
    for path in (text_file, foreign, tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(UsageError):
            open_database(str(path))
        with pytest.raises(UsageError):
            look(str(path), now)
        assert not path.is_file() or path.read_bytes() == before


def test_each_error_has_its_own_help(prose: Prose) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    missing = psycopg.OperationalError('FATAL:  database "kv" does not exist')
    refused = psycopg.OperationalError("connection failed: Connection refused")
    wrong = psycopg.OperationalError('FATAL:  password authentication failed for user "u"')
    option = psycopg.ProgrammingError('invalid connection option "bogus"')
    helps = [
        help_for(DBAPIError.instance("SELECT 1", {}, error, psycopg.Error))
        for error in (full, missing, refused, wrong, option)
    ]
    words = ("disk", "database", "port", "password", "options")
    assert [word in found for word, found in zip(words, helps, strict=True)] == [True] * 5
    assert len(set(helps)) == 5
    prose("\n".join(helps))


@pytest.mark.parametrize("value", ["not a date", "2026-13-45 00:00:00.000000", 7, "9" * 40])
def test_a_value_that_is_not_a_date_is_an_error_of_the_history(tmp_path: Path, value: Any) -> None:
    path = str(tmp_path / "history.db")
    record(a_store(path), NOW)
    with closing(sqlite3.connect(path)) as changed, changed:
        changed.execute("UPDATE scans SET started_at = ?", (value,))
    with pytest.raises(StoreError) as caught:
        a_store(path).nights(ACME, 10)
    assert path in str(caught.value)
    assert caught.value.help


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: bytes(len(content)),
        lambda content: content[:16] + b"\0\3" + content[18:],
        lambda content: content[: len(content) // 2],
    ],
)
def test_a_damaged_history_is_not_reported_as_a_foreign_file(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "history.db"
    record(a_store(str(path)), NOW)
    path.write_bytes(damage(path.read_bytes()))
    for opened in (open_database, partial(look, clock=lambda: NOW)):
        with pytest.raises(StoreError, match=str(path)) as caught:
            opened(str(path))
        assert "backup" in str(caught.value.help)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO keyvigil_version VALUES ('0001')",
        "UPDATE scans SET by_severity = '7'",
        "UPDATE scans SET remedied = 'text'",
        "UPDATE scans SET keys = 1.5",
        "UPDATE scans SET rules = '\"text\"'",
        "UPDATE scans SET policies = '" + "[" * 3_000 + "'",
        "UPDATE snapshots SET history = x'00ff'",
        "UPDATE snapshots SET history = 'text'",
        "UPDATE snapshots SET content = 'text'",
    ],
)
def test_an_invalid_value_is_an_error_of_the_history(
    tmp_path: Path, change: str, prose: Prose
) -> None:
    path = str(tmp_path / "history.db")
    record(a_store(path), NOW)
    with closing(sqlite3.connect(path)) as changed, changed:
        changed.execute(change)
    with pytest.raises(StoreError, match=path) as caught:
        read_snapshot_and_history(path)
    prose(f"{caught.value}\n{caught.value.help}")


def read_snapshot_and_history(path: str) -> None:
    store = a_store(path)
    scan_id = store.find("latest", ACME).scan_id
    store.snapshot(scan_id)
    store.reported(scan_id)
