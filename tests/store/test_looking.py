"""Checks of a history, on SQLite and on PostgreSQL: they change no rows."""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from scanner.checkup import clock_problems
from scanner.errors import StoreError, UsageError
from scanner.store.database import connect, file_of, open_database
from scanner.store.locks import acquire
from scanner.store.looking import look, read_clocks
from scanner.store.schema import locks
from scanner.wiring import now
from tests.factories import NOW
from tests.store.making import ACME, a_store, night, record


def test_a_current_history_is_checked_with_a_write_and_unchanged(place: str) -> None:
    a_store(place)
    looked = look(place, now)
    assert looked.version == looked.ours
    assert looked.running == ()
    with connect(place).reading() as connection:
        assert list(connection.execute(select(locks))) == []


def test_a_running_scan_is_named_and_keeps_its_lock(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        (running,) = look(place, now).running
        assert running.startswith(f"{ACME}, by {lease.holder}, since ")
        with store.hold("Another"):
            assert len(look(place, now).running) == 2
    assert look(place, now).running == ()


def test_a_history_of_a_newer_version_is_refused(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="9999"):
        look(place, now)


def test_an_older_history_is_not_migrated(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '0001'"))
    looked = look(place, now)
    assert looked.version == "0001"
    assert looked.version != looked.ours
    with database.reading() as connection:
        version = connection.execute(text("SELECT version_num FROM keyvigil_version")).scalar()
    assert version == "0001"


def test_an_empty_place_is_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.touch()
    assert look(str(path), now).version is None
    assert b"locks" not in path.read_bytes()


def test_a_read_only_history_is_an_error(tmp_path: Path) -> None:
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
        look(str(path), now)


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
        look(str(path), now)
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


def test_correct_clocks_and_dates_have_no_problems(place: str) -> None:
    store = a_store(place)
    record(store, now() - timedelta(days=1))
    with store.hold(ACME):
        assert problems(place) == []


def test_a_scan_recorded_in_the_future_is_named(place: str) -> None:
    at = now() + timedelta(days=30)
    record(a_store(place), at)
    ((name, text),) = problems(place)
    assert name == "recorded scans"
    assert night(at).scan_id in text


def test_a_lock_that_ends_later_than_its_lease_is_named_by_its_end(place: str) -> None:
    database = open_database(place)
    acquire(database, ACME, 600)
    with database.writing() as connection:
        connection.execute(update(locks).values(expires_at=4_102_444_800))
    ((name, text),) = problems(place)
    assert name == "lock dates"
    assert "2100-01-01 00:00:00 UTC" in text
    acquire(database, ACME, 600)
    assert problems(place) == []


@pytest.mark.parametrize(("hours", "direction"), [(2, " ahead "), (-2, " behind ")])
def test_a_clock_that_differs_from_the_databases_is_a_problem(
    place: str, hours: int, direction: str
) -> None:
    open_database(place)
    reading = read_clocks(place, lambda: now() + timedelta(hours=hours))
    assert reading is not None
    (check,) = clock_problems(reading)
    assert check.name == "database clock"
    assert direction in check.said


def test_clocks_of_an_older_history_are_not_read(place: str) -> None:
    database = open_database(place)
    with database.writing() as connection:
        connection.execute(text("UPDATE keyvigil_version SET version_num = '0001'"))
    assert read_clocks(place, now) is None


def problems(place: str) -> list[tuple[str, str]]:
    """Return name and text of each problem; `read_clocks` must return the same clocks."""
    both = (look(place, now).clocks, read_clocks(place, now))
    found, again = (
        [(check.name, check.said) for check in clock_problems(reading)]
        for reading in both
        if reading
    )
    assert found == again
    return found
