"""A history that is briefly unavailable when a scan is recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.cli.memory import Memory
from scanner.cli.recording import PAUSES, remembered
from scanner.errors import KeyVigilError, StoreAway, StoreError
from scanner.scan import Scanned, scan
from scanner.store.history import SqlStore
from tests.factories import NOW, a_key, an_inventory
from tests.store.making import ACME, a_store

AWAY = "The history in postgresql://db/k failed: Connection refused."


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace sleep; return the list of requested seconds."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    return a_store(str(tmp_path / "history.db"))


def seen() -> Scanned:
    inventory = an_inventory(keys=(a_key(),))
    return scan(lambda: inventory, (), NOW, lambda: NOW)


def failing(
    work: Callable[..., Any], times: int, error: type[StoreError], *, after: bool = False
) -> Callable[..., Any]:
    """Let some work fail so often, before it is done or `after`."""
    left = [times]

    def now_and_then(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0 and not after:
            raise error(AWAY)
        done = work(*given, **named)
        if left[0] >= 0:
            raise error(AWAY)
        return done

    return now_and_then


def record(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, *, is_told: bool = False, **fails: Any
) -> tuple[list[str], list[KeyVigilError]]:
    """Record a scan while recording fails; return the scans that are recorded, and what failed."""
    with store.hold(ACME) as lease, monkeypatch.context() as patched:
        patched.setattr(SqlStore, "record", failing(SqlStore.record, **fails))
        memory = Memory(store=store, organization=ACME, lease=lease, is_told_to_end=lambda: is_told)
        result, failures = remembered(seen(), memory)
        assert result.history is not None
    return [night.scan_id for night in store.nights(ACME, 9)], failures


@pytest.mark.parametrize("after", [False, True])
def test_a_database_that_comes_back_has_the_scan_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, waited: list[float], *, after: bool
) -> None:
    recorded, failures = record(store, monkeypatch, times=1, error=StoreAway, after=after)
    assert (len(recorded), failures, sum(waited)) == (1, [], PAUSES[0])


def test_one_that_stays_away_fails_after_more_than_a_minute(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    recorded, failures = record(store, monkeypatch, times=9, error=StoreAway)
    assert (recorded, [str(failure) for failure in failures]) == ([], [AWAY])
    assert sum(waited) == sum(PAUSES) > 60


def test_what_is_no_matter_of_waiting_fails_at_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    recorded, failures = record(store, monkeypatch, times=1, error=StoreError)
    assert (recorded, len(failures), waited) == ([], 1, [])


def test_who_is_told_to_end_does_not_wait(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    recorded, failures = record(store, monkeypatch, times=1, error=StoreAway, is_told=True)
    assert (recorded, len(failures), waited) == ([], 1, [])
