"""A look at a history, on SQLite and on PostgreSQL: it sees all, and leaves nothing."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from scanner.errors import StoreError, UsageError
from scanner.store.database import connect, file_of, open_database
from scanner.store.looking import look
from scanner.store.schema import locks
from tests.factories import NOW
from tests.store.making import ACME, a_store, record


def test_a_history_that_is_up_to_date_is_written_to_and_stays_as_it_was(place: str) -> None:
    a_store(place)
    looked = look(place)
    assert looked.version == looked.ours
    assert looked.running == ()
    with connect(place).reading() as connection:
        assert list(connection.execute(select(locks))) == []


def test_a_scan_that_runs_is_named_and_goes_on(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        (running,) = look(place).running
        assert running.startswith(f"{ACME}, by {lease.holder}, since ")
        with store.hold("Another"):
            assert len(look(place).running) == 2
    assert look(place).running == ()


def test_what_a_newer_version_wrote_is_told(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="newer KeyVigil"):
        look(place)


def test_an_older_one_is_not_brought_up_to_date(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '0001'"))
    looked = look(place)
    assert looked.version == "0001"
    assert looked.version != looked.ours
    with database.reading() as connection:
        version = connection.execute(text("SELECT version_num FROM keyvigil_version")).scalar()
    assert version == "0001"


def test_an_empty_place_is_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.touch()
    assert look(str(path)).version is None
    assert b"locks" not in path.read_bytes()


def test_a_history_that_may_only_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    a_store(str(path))
    with connect(str(path)).writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER no BEFORE INSERT ON locks BEGIN SELECT RAISE(FAIL, 'read-only');"
                " END"
            )
        )
    with pytest.raises(StoreError, match="read-only"):
        look(str(path))


def test_a_place_is_a_file_or_none(tmp_path: Path) -> None:
    assert file_of(str(tmp_path / "h.db")) == tmp_path / "h.db"
    assert file_of("postgresql://x@127.0.0.1/y") is None
    with pytest.raises(UsageError):
        file_of("mysql://x")


def test_a_damaged_history_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    record(a_store(str(path)), NOW)
    with closing(sqlite3.connect(path)) as closed:
        closed.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = closed.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[3 * size : 6 * size] = b"\xa5" * (3 * size)
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        look(str(path))
    assert str(path) in str(caught.value)
    assert "backup" in str(caught.value.help)


def test_a_history_on_a_read_only_disk_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    record(a_store(str(path)), NOW)
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    database = open_database(str(path), must_exist=True)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM scans")).scalar() == 1
    with pytest.raises(StoreError), database.writing() as connection:
        connection.execute(text("DELETE FROM scans"))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_scan_recorded_in_the_future_is_named(place: str) -> None:
    store = a_store(place)
    record(store, datetime.now(UTC) - timedelta(days=1))
    assert look(place).ahead == ()
    record(store, datetime.now(UTC) + timedelta(days=30))
    assert len(look(place).ahead) == 1
