"""Reading the history with the real command."""

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
    """Return the recorded scans, and the logged reasons if they cannot be read."""
    told = Told()
    env = environment({"KEYVIGIL_STORE": str(place), **(more or {})})
    found = Children(COMMAND, env, folder, told).recorded({}, ())
    return found, [str(fields["reason"]) for fields in told.of("history_unreadable")]


def test_a_missing_or_disabled_history_has_no_scans(
    tmp_path: Path,
) -> None:
    for place in (tmp_path / "history.db", "none"):
        assert recorded(tmp_path, place) == ((), [])


def test_the_scans_of_a_history_are_returned(tmp_path: Path) -> None:
    place = str(tmp_path / "history.db")
    assert a_store(place).organizations() == ()
    assert recorded(tmp_path, place) == ((), [])
    record(a_store(place), NOW)
    night = Recorded(organization=ACME, started_at=NOW, complete=True)
    assert recorded(tmp_path, place) == ((night,), [])


def test_a_history_that_cannot_be_opened_is_not_empty(tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    a_store(str(newer))
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute("UPDATE keyvigil_version SET version_num = '9999'")
    broken = tmp_path / "broken.db"
    broken.write_text("not a database, and long enough to be detected as such")
    named: dict[str | Path, str] = {
        tmp_path: str(tmp_path),
        newer: str(newer),
        broken: str(broken),
        "mysql://somewhere": "KEYVIGIL_STORE",
    }
    for place, name in named.items():
        found, (reason,) = recorded(tmp_path, place)
        assert found is None
        assert reason.startswith("error: ")
        assert name in reason


def test_invalid_settings_are_not_an_empty_history(tmp_path: Path) -> None:
    found, (reason,) = recorded(tmp_path, tmp_path / "history.db", {"KEYVIGIL_KEEP": "ever"})
    assert found is None
    assert reason.startswith("error: KEYVIGIL_KEEP ")
    assert list(tmp_path.iterdir()) == []
