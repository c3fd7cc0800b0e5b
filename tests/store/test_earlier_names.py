"""Migrating a history of schema 0007, from before states and resolutions were renamed."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, insert, select, text

from scanner.lifecycle import Resolution, State
from scanner.receipt import broken_at
from scanner.store.database import Database, connect, open_database
from scanner.store.history import SqlStore
from scanner.store.schema import metadata
from tests.store.making import a_store

FIXTURE: Final = Path(__file__).parent / "fixtures" / "history-0007.sql.gz"
NAME: Final = "Acme Robotics"
OLD_NAMES: Final = {"mended", "owner_back", "persisting", "lowered"}


@pytest.fixture
def old(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return the recorded history on each database, at schema 0007."""
    file = tmp_path / "fixture.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(gzip.decompress(FIXTURE.read_bytes()).decode())
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", _only_to("0007"))
        fixture, database = connect(str(file)), open_database(place)
    with fixture.reading() as reader, database.writing() as writer:
        _copy(reader, writer)
    return database


def _only_to(revision: str) -> Any:
    upgrade = command.upgrade
    return lambda config, _head: upgrade(config, revision)


def _copy(reader: Connection, writer: Connection) -> None:
    tables = MetaData()
    tables.reflect(writer, only=list(metadata.tables))
    for table in tables.sorted_tables:
        known = metadata.tables[table.name]
        rows = [dict(row) for row in reader.execute(select(known)).mappings()]
        if rows:
            writer.execute(insert(known), rows)


def raw(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_scans_journal_notices_and_deliveries_are_unchanged(old: Database, place: str) -> None:
    journal = raw(old, "SELECT * FROM journal ORDER BY organization, number")
    notices = raw(old, "SELECT * FROM announcements ORDER BY fingerprint")
    assert len(journal) == 2
    assert notices
    store = a_store(place)
    assert raw(old, "SELECT * FROM journal ORDER BY organization, number") == journal
    assert raw(old, "SELECT * FROM announcements ORDER BY fingerprint") == notices
    (entries,) = store.journals().values()
    assert broken_at(entries) is None
    (act,) = store.acts(NAME)
    assert act.outcome
    assert len(store.nights(NAME, 100)) == 14
    assert len(store.outbox.announced(NAME)) == len(notices)
    assert len(store.outbox.pending(NAME)) == 1


def test_states_and_resolutions_have_their_current_names(old: Database, place: str) -> None:
    before = {name for row in raw(old, "SELECT state, resolution FROM events") for name in row}
    assert before & OLD_NAMES
    store = a_store(place)
    for query in ("SELECT state, resolution FROM events", "SELECT resolution FROM cases"):
        assert not OLD_NAMES & {name for row in raw(old, query) for name in row}
    happened = store.events(NAME, store.nights(NAME, 1)[0].started_at)
    assert {State.NEW, State.DEESCALATED, State.RESOLVED} <= {one.state for one in happened}
    assert Resolution.OWNER_RESTORED in {one.resolution for one in happened}


@pytest.mark.usefixtures("old")
def test_each_of_its_scans_is_rendered_as_it_was_reported(place: str) -> None:
    store: SqlStore = a_store(place)
    states = set()
    for night in store.nights(NAME, 100):
        history = store.reported(night.scan_id)
        assert history
        assert store.snapshot(night.scan_id)
        states |= {standing.state for standing in history.standings}
    assert {State.NEW, State.UNCHANGED, State.RESOLVED} <= states
