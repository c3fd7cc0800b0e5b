"""`keyvigil history unlock` shows which locks are held and releases them after confirmation."""

import subprocess
from datetime import timedelta

import pytest
from sqlalchemy import update

from scanner.errors import LockLost
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.locks import acquire, held_locks
from scanner.store.schema import locks
from scanner.wiring import now
from tests.cli.running import COMMAND, Ran, environment, keyvigil, keyvigil_on_terminal
from tests.store.conftest import place, server
from tests.store.making import ACME, a_history, a_store, record
from tests.support.prose import Prose
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow
__all__ = ["place", "server"]


@pytest.fixture
def store(place: str) -> SqlStore:
    """A history with a recorded scan."""
    made = a_store(place, lease=3600)
    record(made, now() - timedelta(days=1))
    return made


def unlock(place: str, *options: str) -> Ran:
    return keyvigil("history", "unlock", *options, env={"KEYVIGIL_STORE": place})


def unlock_on_terminal(place: str, typed: str) -> Ran:
    env = {"KEYVIGIL_STORE": place}
    return keyvigil_on_terminal("history", "unlock", typed=typed, env=env)


def locked(place: str) -> list[str]:
    """Return the organizations whose locks are held."""
    with open_database(place).reading() as connection:
        return [held.organization for held in held_locks(connection)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("options", [(), ("--yes",), ("--organization", ACME)])
def test_without_a_held_lock_nothing_is_released_and_that_is_reported(
    place: str, options: tuple[str, ...]
) -> None:
    ran = unlock(place, *options)
    of = f" of {ACME}" if ACME in options else ""
    assert ran == Ran(code=0, out=f"No lock{of} is held.\n", err="")


def test_without_a_terminal_and_without_yes_nothing_changes(place: str, store: SqlStore) -> None:
    with store.hold(ACME) as lease:
        ran = unlock(place)
        assert ran.code == 2
        assert ran.out == ""
        assert f"{ACME}: locked by {lease.holder}, since " in ran.err
        assert "error: Releasing 1 lock " in ran.err
        assert "--yes" in ran.err
        store.record(lease, a_history(now()), b"seen")


def test_with_a_closed_input_nothing_changes(place: str) -> None:
    acquire(open_database(place), ACME, 3600)
    ran = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "history", "unlock"],
        env=environment({"KEYVIGIL_STORE": place}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "error: Releasing 1 lock " in ran.stderr
    assert locked(place) == [ACME]


def test_yes_releases_the_lock_of_a_scan_that_died(place: str, store: SqlStore) -> None:
    dead = acquire(open_database(place), ACME, 3600)
    ran = unlock(place, "--yes")
    assert (ran.code, ran.out) == (0, f"{ACME}: released.\n")
    assert f"{ACME}: locked by {dead.holder}, since {now():%Y-}" in ran.err
    with store.hold(ACME):
        pass


@pytest.mark.parametrize("typed", ["n\n", "\n", "\x04"])
def test_a_lock_stays_unless_the_question_is_answered_with_yes(
    place: str, store: SqlStore, typed: str
) -> None:
    with store.hold(ACME) as lease:
        ran = unlock_on_terminal(place, typed)
        assert (ran.code, ran.out) == (0, "")
        assert "No lock " in ran.err
        assert locked(place) == [ACME]
        store.record(lease, a_history(now()), b"seen")


def test_a_live_scan_is_shown_before_the_question_and_is_not_recorded_after_a_yes(
    place: str, store: SqlStore, prose: Prose
) -> None:
    with store.hold(ACME) as lease:
        ran = unlock_on_terminal(place, "y\n")
        assert (ran.code, ran.out) == (0, f"{ACME}: released.\n")
        shown, asked = ran.err.index(lease.holder), ran.err.index("Release 1 lock?")
        assert shown < asked
        prose(ran.err[asked:].splitlines()[0])
        with pytest.raises(LockLost, match="the lock was released"):
            store.record(lease, a_history(now()), b"seen")


@pytest.mark.usefixtures("store")
def test_the_lock_of_a_first_scan_that_recorded_nothing_is_released(place: str) -> None:
    acquire(open_database(place), "Never recorded", 3600)
    assert unlock(place, "--yes").out == "Never recorded: released.\n"
    assert locked(place) == []


@pytest.mark.usefixtures("store")
def test_only_the_lock_of_the_named_organization_is_released(place: str) -> None:
    database = open_database(place)
    acquire(database, ACME, 3600)
    acquire(database, "Bolt", 3600)
    ran = unlock(place, "--yes", "--organization", "Bolt")
    assert ran.out == "Bolt: released.\n"
    assert ACME not in ran.err
    assert locked(place) == [ACME]


@pytest.mark.usefixtures("store")
def test_a_lock_that_ends_too_late_is_released(place: str) -> None:
    database = open_database(place)
    acquire(database, ACME, 600)
    with database.writing() as connection:
        connection.execute(update(locks).values(expires_at=4_102_444_800))
    ran = unlock(place, "--yes")
    assert ran.out == f"{ACME}: released.\n"
    assert "Its lease ends at 2100-01-01 00:00:00 UTC." in ran.err
    assert locked(place) == []


def test_without_a_history_unlock_is_rejected() -> None:
    ran = unlock("none", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "--store is none" in ran.err
