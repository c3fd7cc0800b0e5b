"""Real processes: many at once, and killed at any moment."""

import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from scanner.lifecycle import Case
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.locks import database_clock
from scanner.store.schema import locks
from tests.cli.running import COMMAND, Ran, environment, sandbox
from tests.store.making import a_store

pytestmark = pytest.mark.slow
MANY = 10
KILLS = 50
WORKERS = 2
NAME = "sandbox-7"
"""As the sandbox calls its organization."""


@contextmanager
def scanning(place: str, settings: dict[str, str], lease: int) -> Iterator[subprocess.Popen[str]]:
    """Start a scan; end it, if it has not ended, when the context does."""
    env = environment(settings) | {"KEYVIGIL_STORE": place, "KEYVIGIL_LEASE": str(lease)}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "scan"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> Ran:
    _, said = process.communicate(timeout=120)
    return Ran(code=process.returncode, out="", err=said)


def scan(place: str, settings: dict[str, str], lease: int = 1) -> Ran:
    with scanning(place, settings, lease) as process:
        return ended(process)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


def is_held(place: str) -> bool:
    """Look, and not try: who tries holds it for a moment."""
    query = select(locks.c.expires_at > database_clock())
    with open_database(place).reading() as connection:
        return bool(connection.execute(query).scalar())


def test_of_ten_scans_at_once_one_runs_and_nine_say_who(place: str) -> None:
    with (
        sandbox("--projects", "60", "--keys-per-project", "2", "--latency-ms", "800") as settings,
        ThreadPoolExecutor(MANY) as pool,
    ):
        runs = list(pool.map(lambda _: scan(place, settings, lease=30), range(MANY)))
    assert sorted(run.code for run in runs) == [0, *[3] * (MANY - 1)]
    refused = [" ".join(run.err.split()) for run in runs if run.code]
    told = r"Another scan of sandbox-7 is running: (.+, process \d+, [0-9a-f]{8}), since"
    assert len({(re.findall(told, text) or [text])[0] for text in refused}) == 1
    assert len(a_store(place).nights(NAME, 10)) == 1


def test_after_the_lease_of_a_killed_holder_the_next_scan_runs(place: str) -> None:
    store = a_store(place)
    with sandbox("--projects", "40", "--latency-ms", "300") as settings:
        with scanning(place, settings, lease=8) as holder:
            until(lambda: is_held(place))
            holder.send_signal(signal.SIGKILL)
            assert ended(holder).code == -signal.SIGKILL
        assert is_held(place)
        assert scan(place, settings).code == 3
        until(lambda: not is_held(place))
        assert scan(place, settings).code == 0
    assert len(store.nights(NAME, 10)) == 1


def known(store: SqlStore) -> tuple[list[str], dict[str, Case]]:
    cases = {case.fingerprint: case for case in store.cases(NAME, [])}
    return [night.scan_id for night in store.nights(NAME, 1000)], cases


def is_whole(store: SqlStore) -> bool:
    """Whether nights, snapshots and events tell of the same scans."""
    nights = store.nights(NAME, 1000)
    events = {event.scan_id for event in store.events(NAME, nights[-1].started_at)}
    assert all(store.snapshot(night.scan_id) for night in nights[-30:])
    return events <= {night.scan_id for night in nights}


def killed_and_resumed(place: str, settings: dict[str, str], seed: int) -> int:
    """Kill scans at random moments; return how many were killed before they recorded anything."""
    moments = random.Random(seed)  # noqa: S311 - spreads moments, protects nothing
    started = time.monotonic()
    assert scan(place, settings).code == 0
    whole = time.monotonic() - started
    store, early = a_store(place), 0
    for _ in range(KILLS // WORKERS):
        nights, cases = known(store)
        with scanning(place, settings, lease=1) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0, whole))
            process.kill()
            ended(process)
        nights_after, cases_after = known(a_store(place))
        assert nights_after[: len(nights)] == nights
        assert len(nights_after) - len(nights) in (0, 1)
        if len(nights_after) == len(nights):
            early += 1
            assert cases_after == cases
        assert is_whole(store)
        until(lambda: not is_held(place))
        assert scan(place, settings).code == 0
        assert len(store.nights(NAME, 1000)) == len(nights_after) + 1
    return early


def test_killed_at_fifty_moments_the_history_stays_whole(tmp_path: Path) -> None:
    with (
        sandbox("--projects", "40", "--keys-per-project", "5", "--latency-ms", "20") as settings,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        places = [str(tmp_path / f"history-{n}.db") for n in range(WORKERS)]
        early = list(pool.map(lambda n: killed_and_resumed(places[n], settings, n), range(WORKERS)))
    assert sum(early) > KILLS / 2  # else the moments were not during a scan
