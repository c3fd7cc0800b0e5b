"""A history that fails before the scan: the scan is still collected and reported, unrecorded."""

import errno
import os
import tempfile
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.cli import memory as remembered
from scanner.cli.account import Accounting, AlreadyScanned
from scanner.cli.examining import history
from scanner.cli.memory import Memory, remembering
from scanner.errors import OutputError, StoreError, StoreLocked
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings
from scanner.store.database import open_database
from tests.factories import NOW
from tests.store.making import ACME, a_store, record

SETTINGS = Settings(admin_key=Secret("sk-admin-x"), base_url="http://127.0.0.1:9/v1")


def test_a_scan_goes_on_without_a_history_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_settings: StoreSettings) -> None:
        raise StoreError("The disk is full.", help="Free it.")

    monkeypatch.setattr(remembered, "open_store", full)
    monkeypatch.chdir(tmp_path)
    store = StoreSettings(place=Secret("h.db"))
    failed: list[StoreError] = []
    with remembering(
        SETTINGS, store, ACME, None, lambda _id: None, is_dry=False, failed=failed.append
    ) as memory:
        assert memory is None
    assert [error.help for error in failed] == ["Free it."]
    with (
        pytest.raises(StoreError),
        remembering(SETTINGS, store, ACME, None, lambda _id: None, is_dry=False),
    ):
        pass


def test_a_scan_does_not_go_on_beside_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = str(tmp_path / "h.db")
    failed: list[StoreError] = []
    with (
        a_store(place).hold(ACME),
        pytest.raises(StoreLocked),
        remembering(
            SETTINGS,
            StoreSettings(place=Secret(place)),
            ACME,
            None,
            lambda _id: None,
            is_dry=False,
            failed=failed.append,
        ),
    ):
        pass
    assert failed == []


@pytest.mark.parametrize(("ahead", "is_done"), [(timedelta(days=30), False), (timedelta(), True)])
def test_a_scan_recorded_in_the_future_is_not_the_one_that_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, *, is_done: bool
) -> None:
    monkeypatch.setattr("scanner.cli.account.now", lambda: NOW)
    store = a_store(str(tmp_path / "h.db"))
    record(store, NOW + ahead)
    for day in range(1, 61):
        record(store, NOW + timedelta(days=30 + day))
    accounting = Accounting(NOW - timedelta(hours=1))
    memory = Memory(store=store, organization=ACME, lease=None)
    with pytest.raises(AlreadyScanned) if is_done else nullcontext():
        accounting.remember(memory)


def test_the_doctor_detects_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    open_database(str(path))

    def full(**_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OutputError, match="No space left"):
        list(history(StoreSettings(place=Secret(str(path)))))
