"""What the daemon learns of the history, from the real command."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from scanner.cli.serve import COMMAND
from scanner.daemon.children import Children, Recorded
from tests.cli.running import environment
from tests.daemon.test_nightly import Told
from tests.factories import NOW
from tests.store.making import ACME, a_store, record

pytestmark = pytest.mark.slow


def recorded(
    folder: Path, place: str | Path, more: Mapping[str, str] | None = None
) -> tuple[tuple[Recorded, ...] | None, list[str]]:
    """Return what is recorded there, and why that cannot be told."""
    told = Told()
    env = environment({"KEYVIGIL_STORE": str(place), **(more or {})})
    found = Children(COMMAND, env, folder, told).recorded({}, ())
    return found, [str(fields["reason"]) for fields in told.of("history_unreadable")]


def test_a_history_that_is_not_there_yet_or_kept_nowhere_has_nothing_recorded(
    tmp_path: Path,
) -> None:
    for place in (tmp_path / "history.db", "none"):
        assert recorded(tmp_path, place) == ((), [])


def test_a_history_that_is_there_tells_its_nights(tmp_path: Path) -> None:
    place = str(tmp_path / "history.db")
    assert a_store(place).organizations() == ()
    assert recorded(tmp_path, place) == ((), [])
    record(a_store(place), NOW)
    night = Recorded(organization=ACME, started_at=NOW, complete=True)
    assert recorded(tmp_path, place) == ((night,), [])


def test_a_history_that_cannot_be_opened_is_not_one_without_nights(tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    a_store(str(newer))
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute("UPDATE keyvigil_version SET version_num = '9999'")
    broken = tmp_path / "broken.db"
    broken.write_text("no database at all, and long enough to be seen as none")
    said: dict[str | Path, str] = {
        tmp_path: f"The history cannot be kept in {tmp_path}: it is a folder.",
        newer: f"The history in {newer} was written by a newer KeyVigil",
        broken: f"The history cannot be kept in {broken}: it is not a SQLite database.",
        "mysql://somewhere": "KEYVIGIL_STORE is neither a file nor a valid postgresql:// URL",
    }
    for place, reason in said.items():
        found, (reasoned,) = recorded(tmp_path, place)
        assert found is None
        assert reasoned.startswith(f"error: {reason}")


def test_settings_that_the_look_refuses_are_no_history_without_nights(tmp_path: Path) -> None:
    found, (reason,) = recorded(tmp_path, tmp_path / "history.db", {"KEYVIGIL_KEEP": "ever"})
    assert found is None
    assert reason.startswith("error: KEYVIGIL_KEEP must be a duration")
    assert list(tmp_path.iterdir()) == []
