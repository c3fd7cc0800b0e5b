"""A fake Slack and a store for the tests of the alerts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.store.database import open_database
from scanner.store.history import Keeping, SqlStore
from tests.alerts.fake_slack.driving import stage
from tests.alerts.fake_slack.workspace import Pace
from tests.alerts.nights import Nights, Play


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Puts a new fake Slack on, behind one address for a whole file."""
    with stage() as put_on:
        yield put_on


@pytest.fixture
def nights(play: Play, tmp_path: Path) -> Nights:
    """Nights over a new store and a Slack that keeps its pace."""
    store = SqlStore(open_database(str(tmp_path / "h.db")), keeping=Keeping(), lease=30)
    return Nights(store=store, slack=play(pace=Pace()))
