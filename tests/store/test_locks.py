"""The contract of the lock, on SQLite and on PostgreSQL."""

import queue
import re
import threading

import pytest
from sqlalchemy import select, update

from scanner.errors import LockLost, StoreLocked
from scanner.ports import Lease
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.locks import acquire, extend, held_locks, unlock
from scanner.store.looking import look
from scanner.store.schema import locks
from scanner.wiring import now
from tests.store.making import ACME, a_store, let_lease_run_out, take_over
from tests.support.waiting import PATIENCE, until

SHORT = 0.3
"""Seconds."""


def expires_at(place: str) -> float:
    with open_database(place).reading() as connection:
        return float(connection.execute(select(locks.c.expires_at)).scalar_one())


def can_hold(store: SqlStore) -> bool:
    try:
        with store.hold(ACME):
            return True
    except StoreLocked:
        return False


def test_a_second_scan_fails_with_the_name_of_the_holder(place: str) -> None:
    store, other = a_store(place), a_store(place)
    with store.hold(ACME) as lease:
        with pytest.raises(StoreLocked) as caught, other.hold(ACME):
            pass
        assert lease.holder in str(caught.value)
        assert re.search(r"\d\d:\d\d:\d\d UTC", str(caught.value.help))
        with other.hold("Another"):
            pass
    with other.hold(ACME) as after:
        assert after.token == lease.token + 1


def test_a_lease_is_renewed_while_its_holder_runs(place: str) -> None:
    store = a_store(place, lease=SHORT)
    with store.hold(ACME):
        first = expires_at(place)
        until(lambda: expires_at(place) > first + 3 * SHORT)


def test_the_lock_of_a_crashed_holder_expires_with_the_lease(place: str) -> None:
    database, store = open_database(place), a_store(place)
    dead = acquire(database, ACME, 3600)  # never renewed
    with pytest.raises(StoreLocked), store.hold(ACME):
        pass
    let_lease_run_out(place)
    assert acquire(database, ACME, SHORT).token == dead.token + 1
    until(lambda: can_hold(store))


def test_a_lost_lock_is_reported_at_the_next_renewal(place: str) -> None:
    errors: queue.Queue[LockLost] = queue.Queue()
    with a_store(place, lease=SHORT).hold(ACME, errors.put):
        first = expires_at(place)
        until(lambda: expires_at(place) > first)
        assert errors.empty()
        take_over(place)
        assert f" {ACME} " in str(errors.get(timeout=PATIENCE))
    assert errors.empty()


def test_one_of_many_parallel_scans_gets_the_lock(place: str) -> None:
    store = a_store(place)
    held: list[Lease] = []
    refused: list[str] = []
    ready, asked = threading.Barrier(8), threading.Barrier(8)

    def want() -> None:
        ready.wait()
        try:
            with store.hold(ACME) as lease:
                held.append(lease)
                asked.wait()
        except StoreLocked as error:
            refused.append(str(error))
            asked.wait()

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert len(refused) == 7
    assert all(held[0].holder in text for text in refused)


def move(place: str, seconds: float, longer: float = 0) -> None:
    with open_database(place).writing() as connection:
        connection.execute(
            update(locks).values(
                acquired_at=locks.c.acquired_at + seconds,
                expires_at=locks.c.expires_at + seconds + longer,
            )
        )


def test_a_lock_that_ends_later_than_its_lease_allows_is_stale(place: str) -> None:
    database = open_database(place)
    ahead = acquire(database, ACME, 600)
    move(place, 365 * 86_400)
    assert look(place, now).running == ()
    assert acquire(database, ACME, 600).token == ahead.token + 1


def test_a_short_lease_does_not_take_over_an_unexpired_long_one(place: str) -> None:
    database = open_database(place)
    acquire(database, ACME, 86_400)
    with pytest.raises(StoreLocked) as caught:
        acquire(database, ACME, 1)
    assert re.search(r"\d{4}-\d\d-\d\d", str(caught.value))
    assert re.search(r"\d{4}-\d\d-\d\d", str(caught.value.help))
    assert len(look(place, now).running) == 1


def test_a_released_lock_is_free_and_its_holder_cannot_record(place: str) -> None:
    database = open_database(place)
    lease = acquire(database, ACME, 86_400)
    with database.reading() as connection:
        (held,) = held_locks(connection)
    assert (held.organization, held.holder, held.token) == (ACME, lease.holder, lease.token)
    assert unlock(database, held)
    assert not unlock(database, held)
    with database.reading() as connection:
        assert held_locks(connection) == ()
    with database.writing() as connection:
        assert not extend(connection, lease, 60)
    assert acquire(database, ACME, 60).token > lease.token


def test_only_the_lock_that_was_shown_is_released(place: str) -> None:
    database = open_database(place)
    acquire(database, ACME, 600)
    with database.reading() as connection:
        (shown,) = held_locks(connection)
    take_over(place)
    assert not unlock(database, shown)
    with database.reading() as connection:
        (held,) = held_locks(connection)
    assert held.token == shown.token + 1
