"""Real processes: many in parallel, and killed at any moment."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from scanner.lifecycle import Case
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, AsgiApp, SandboxApp
from scanner.sandbox.server import serving
from scanner.store.history import SqlStore
from scanner.wiring import sandbox_organization
from tests.cli.running import Ran, environment
from tests.store.making import a_store, let_lease_run_out
from tests.support.forking import Forked
from tests.support.gate import Before, Gate
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow
MANY = 10
NAME = "sandbox-7"
"""The name of the sandbox's organization."""
LEASE = 3600
"""Seconds; longer than any test."""
UNTIL_DEATH = ("tests.support.hooks", "die_before_statement")


def organization() -> AsgiApp:
    made = sandbox_organization(seed=7, projects=8, keys_per_project=5)
    return SandboxApp(made, keys={SANDBOX_KEY: ALL_SCOPES})


@contextmanager
def served(app: AsgiApp) -> Iterator[dict[str, str]]:
    """Serve an organization; yields the environment for scans of it."""
    with serving(app) as url:
        yield {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url}


def begun(place: str, settings: dict[str, str], *, dies_at: int = 0) -> Forked:
    """Start a scan that is killed before the statement `dies_at` to its database."""
    env = environment(settings) | {"KEYVIGIL_STORE": place, "KEYVIGIL_LEASE": str(LEASE)}
    return Forked(["scan"], env, first=(*UNTIL_DEATH, dies_at))


def scan(place: str, settings: dict[str, str], *, dies_at: int = 0) -> Ran:
    code, out, err = begun(place, settings, dies_at=dies_at).end()
    return Ran(code=code, out=out, err=err)


def test_of_ten_parallel_scans_one_runs_and_nine_name_it(place: str) -> None:
    gate = Gate(organization(), "api_keys")
    with served(gate) as settings, ThreadPoolExecutor(MANY) as pool:
        scans = [pool.submit(scan, place, settings) for _ in range(MANY)]
        refused = [next(done).result() for done in [as_completed(scans)] for _ in range(MANY - 1)]
        gate.open()
        codes = sorted(scan.result().code for scan in scans)
    assert codes == [0, *[3] * (MANY - 1)]
    texts = [" ".join(run.err.split()) for run in refused]
    holder = r"sandbox-7 is running: (.+, process \d+, [0-9a-f]{8}), since"
    assert len({(re.findall(holder, text) or [text])[0] for text in texts}) == 1
    assert len(a_store(place).nights(NAME, 10)) == 1


def test_after_the_lease_of_a_killed_holder_the_next_scan_runs(place: str) -> None:
    store, gate = a_store(place), Gate(organization(), "api_keys")
    with served(gate) as settings:
        holder = begun(place, settings)
        gate.wait()
        holder.send_signal(signal.SIGKILL)
        assert holder.end()[0] == -signal.SIGKILL
        gate.open()
        assert scan(place, settings).code == 3
        let_lease_run_out(place)
        assert scan(place, settings).code == 0
    assert len(store.nights(NAME, 10)) == 1


def known(store: SqlStore) -> tuple[list[str], dict[str, Case]]:
    cases = {case.fingerprint: case for case in store.cases(NAME, [])}
    return [night.scan_id for night in store.nights(NAME, 1000)], cases


def is_whole(store: SqlStore) -> bool:
    """Whether scans, snapshots and events have the same scan ids."""
    nights = store.nights(NAME, 1000)
    events = {event.scan_id for event in store.events(NAME, nights[-1].started_at)}
    assert all(store.snapshot(night.scan_id) for night in nights[-30:])
    return events <= {night.scan_id for night in nights}


def test_after_a_kill_before_any_statement_of_the_first_scan_the_next_succeeds(
    tmp_path: Path,
) -> None:
    """Also while the tables are created."""
    with served(organization()) as settings:
        for number in count(1, 5):
            place = str(tmp_path / f"{number}.db")
            ran = scan(place, settings, dies_at=number)
            if ran.code == 0:
                break
            assert ran.code == -signal.SIGKILL
            let_lease_run_out(place)
            assert scan(place, settings).code == 0
            store = a_store(place)
            assert len(store.nights(NAME, 9)) in (1, 2)
            assert is_whole(store)
    assert number > 50


def test_after_a_kill_before_any_statement_of_a_later_scan_the_history_is_consistent(
    place: str,
) -> None:
    store, early = a_store(place), 0
    with served(organization()) as settings:
        assert scan(place, settings).code == 0
        nights, cases = known(store)
        for number in count(1):
            if scan(place, settings, dies_at=number).code != -signal.SIGKILL:
                break
            (before, was), (nights, cases) = (nights, cases), known(store)
            assert nights[: len(before)] == before
            assert len(nights) - len(before) in (0, 1)
            if nights == before:
                early += 1
                assert cases == was
            assert is_whole(store)
            let_lease_run_out(place)
    assert len(store.nights(NAME, 1000)) == len(nights) + 1
    assert early >= 10


@pytest.mark.parametrize("number", [1, 2, 5, 11])
def test_after_a_kill_before_any_response_of_the_api_no_scan_is_recorded(
    tmp_path: Path, number: int
) -> None:
    place, process, started = str(tmp_path / "history.db"), 0, threading.Event()

    def act(request: int) -> None:
        assert started.wait(PATIENCE)
        if request == number:
            os.kill(process, signal.SIGKILL)

    with served(Before(organization(), act)) as settings:
        holder = begun(place, settings)
        process = holder.pid
        started.set()
        assert holder.end()[0] == -signal.SIGKILL
        store = a_store(place)
        assert known(store) == ([], {})
        let_lease_run_out(place)
        assert scan(place, settings).code == 0
    assert is_whole(store)
