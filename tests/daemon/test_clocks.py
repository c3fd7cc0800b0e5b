"""Wrong clocks and dates of a real history, reported by /healthz on a real socket."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from scanner.checkup import clock_problems
from scanner.daemon.clocks import ClockWatch
from scanner.daemon.http import serving
from scanner.daemon.metrics import Metrics
from scanner.store.database import open_database
from scanner.store.locks import acquire
from scanner.store.looking import read_clocks
from scanner.store.schema import locks
from scanner.wiring import now
from tests.daemon.test_http import Site, pages, silent
from tests.store.conftest import place, server
from tests.store.making import ACME, a_store, record
from tests.support.waiting import until

__all__ = ["place", "server"]


class Watched:
    """A server whose health includes the clocks of a history."""

    def __init__(self, site: Site, watch: ClockWatch) -> None:
        self._site, self._watch = site, watch

    def until(self, status: str, reason: str = "") -> None:
        """Wait until /healthz returns 200 with `status` and a reason that contains `reason`."""

        def is_there() -> bool:
            self._watch.check_soon()
            code, _, body = self._site.ask("/healthz")
            assert code == 200
            answer = json.loads(body)
            return answer["status"] == status and reason in answer.get("reason", "")

        until(is_there)


@contextmanager
def watched(place: str, clock: Callable[[], datetime] = now) -> Iterator[Watched]:
    def check() -> tuple[str, ...]:
        reading = read_clocks(place, clock)
        assert reading is not None
        return tuple(f"{problem.name}: {problem.said}" for problem in clock_problems(reading))

    watch = ClockWatch(check, Metrics(), silent)
    runs = pages()
    shown = replace(runs, health=lambda: replace(runs.health(), clock_problems=watch.problems))
    watch.start()
    try:
        with serving(shown, "127.0.0.1", 0, silent) as where:
            yield Watched(Site(*where), watch)
    finally:
        watch.stop()


@pytest.mark.parametrize(("hours", "direction"), [(3, " ahead "), (-3, " behind ")])
def test_a_clock_that_differs_from_the_databases_degrades_health_until_corrected(
    place: str, hours: int, direction: str
) -> None:
    open_database(place)
    ahead = [timedelta(hours=hours)]
    with watched(place, lambda: now() + ahead[0]) as it:
        it.until("degraded", direction)
        ahead[0] = timedelta()
        it.until("ok")


def test_a_scan_dated_in_the_future_degrades_health_while_it_is_recorded(place: str) -> None:
    record(a_store(place), now() - timedelta(days=1))
    with watched(place) as it:
        it.until("ok")
        future = now() + timedelta(days=30)
        record(a_store(place), future)
        it.until("degraded", f"{future:%Y%m%d}T")


def test_a_lock_that_ends_too_late_degrades_health_until_another_scan_takes_it_over(
    place: str,
) -> None:
    database = open_database(place)
    acquire(database, ACME, 600)
    with watched(place) as it:
        it.until("ok")
        with database.writing() as connection:
            connection.execute(update(locks).values(expires_at=locks.c.expires_at + 86_400))
        it.until("degraded", "lock dates: ")
        acquire(database, ACME, 600)
        it.until("ok")
