"""The daemon as a real process with runs every few seconds: no failure prevents the next run."""

import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scanner.lifecycle import Night
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.server import HOST, serving
from scanner.wiring import sandbox_organization
from tests.cli.test_stopping import organization_with
from tests.daemon.driver import EPOCH
from tests.daemon.running import Running, children, is_alive, running
from tests.store.conftest import server
from tests.store.making import a_history, a_store, let_lease_run_out
from tests.support.gate import Gate
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
NAME = "sandbox-7"
LONG = 50 * 24 * 3600
"""Seconds between runs, longer than any test."""
OFTEN = ",".join(["1"] * 200)
"""Seconds after which a failed run is retried."""
POLICY = """\
policy: {name}
rules:
  - id: old
    title: t
    severity: high
    violated_when: {{ age: {{ over: 90d }} }}
    why: w
    fix: f
"""
__all__ = ["server"]
_numbers = count()


@pytest.fixture
def database(server: Any) -> str:
    name = f"serve_{next(_numbers)}"
    server.psql(f"CREATE DATABASE {name}")
    return str(server.get_uri(name))


@contextmanager
def organization(port: int = 0) -> Iterator[dict[str, str]]:
    """Serve a small organization; yields the environment for scans of it."""
    made = sandbox_organization(seed=7, projects=3, keys_per_project=3)
    with serving(SandboxApp(made, keys={SANDBOX_KEY: ALL_SCOPES}), port) as url:
        yield {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url}


@dataclass(frozen=True)
class Dues:
    """The moments at which runs are due."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        return {"DUES": str(self.path)}

    def add(self, ago: timedelta = timedelta()) -> None:
        with self.path.open("a") as file:
            file.write(f"{(datetime.now(UTC) - ago).isoformat()}\n")


@pytest.fixture
def dues(tmp_path: Path) -> Dues:
    """No due moments yet."""
    (tmp_path / "dues").touch()
    return Dues(tmp_path / "dues")


@contextmanager
def daemon(
    env: Mapping[str, str],
    store: str | Path,
    *policies: str | Path,
    period: float = LONG,
    timeout: float = LONG,
    retries: str = OFTEN,
) -> Iterator[Running]:
    command = [sys.executable, "-m", "tests.daemon.driver", str(period), str(timeout), retries]
    settings = {**env, "KEYVIGIL_STORE": str(store)}
    with running([*command, *map(str, policies or ["baseline"])], settings) as run:
        yield run


def nights(store: str | Path) -> tuple[Night, ...]:
    return a_store(str(store)).nights(NAME, 100)


def a_night_ago(store: str | Path, seconds: float = LONG) -> None:
    """Record a scan at the previous due time, so that the latest run is missed."""
    at = datetime.now(EPOCH.tzinfo) - timedelta(seconds=seconds * 1.5)
    history = a_store(str(store))
    with history.hold(NAME) as lease:
        history.record(lease, a_history(at, organization=NAME), b"seen")


def periods(found: tuple[Night, ...], seconds: float) -> Counter[int]:
    return Counter(int((night.started_at - EPOCH) / timedelta(seconds=seconds)) for night in found)


def test_it_scans_once_at_each_due_time_and_logs_the_next(tmp_path: Path) -> None:
    """The number of runs depends on the speed of the machine."""
    store, period = tmp_path / "history.db", 3
    with organization() as env, daemon(env, store, period=period) as run:
        for number in (1, 2, 3):
            run.until("run_ended", count=number, outcome="done")
        assert run.get("/readyz")[0] == run.get("/healthz")[0] == 200
        found = run.metrics()
        assert found["keyvigil_runs_total{done}"] >= 3
        assert found["keyvigil_runs_total{failed}"] == 0
        assert found["keyvigil_next_run_timestamp_seconds"] % period == 0
        assert run.stop() == 0
        dues = [one["due"] for one in run.events if one["event"] == "run_started"]
    assert dues == sorted(set(dues))
    assert set(periods(nights(store), period).values()) == {1}
    assert nights(store)[0].started_at >= datetime.fromisoformat(dues[0])


def test_sighup_with_an_invalid_policy_keeps_the_old_one_and_logs_an_error(
    tmp_path: Path, dues: Dues
) -> None:
    policy, store = tmp_path / "mine.yaml", tmp_path / "history.db"
    policy.write_text(POLICY.format(name="first"))
    with organization() as env, daemon(env | dues.env, store, policy) as run:
        run.until("no_history")
        dues.add()
        run.until("run_ended", outcome="done")
        policy.write_text(POLICY.format(name="broken").replace("high", "hihg"))
        run.process.send_signal(signal.SIGHUP)
        told = run.until("settings_invalid")
        assert told["problem"].startswith(f"{policy}:5:15: ")
        assert "'hihg'" in told["problem"]
        assert run.until("reload_failed")["level"] == "error"
        assert run.metrics()["keyvigil_settings_reload_success"] == 0
        dues.add()
        run.until("run_ended", count=2, outcome="done")
        assert run.get("/healthz")[0] == 200
        policy.write_text(POLICY.format(name="second"))  # no signal: the change is detected
        run.until("reloaded", reason="a file changed")
        assert run.metrics()["keyvigil_settings_reload_success"] == 1
        dues.add()
        run.until("run_ended", count=3, outcome="done")
        assert run.stop() == 0
    assert [night.policies for night in nights(store)] == [("first",), ("first",), ("second",)]


def test_sigterm_during_a_scan_ends_it_as_incomplete(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    faults = {"api_keys": Faults(latency=3600)}
    with (
        organization_with(faults, "api_keys") as (env, wait_for_request),
        daemon(env, store) as run,
    ):
        wait_for_request()
        scan = children(run.process.pid)
        assert len(scan) == 1
        assert run.stop() == 0
        assert not is_alive(scan[0])
        ended = run.until("run_ended")
    assert (ended["outcome"], ended["exit_code"]) == ("stopped", 3)
    assert [night.complete for night in nights(store)] == [True, False]


def test_a_daemon_that_loses_a_race_reports_no_error(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    with organization() as env, a_store(str(store)).hold(NAME), daemon(env, store) as run:
        assert run.until("run_ended")["outcome"] == "locked"
        said = run.until("scan_log", error="store_locked")
        assert f" {NAME} " in said["text"]
        assert [one for one in run.events if one["level"] == "error"] == []


def test_a_scan_interrupted_by_sigterm_is_caught_up_at_the_next_start(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    faults = {"api_keys": Faults(latency=3600)}
    with (
        organization_with(faults, "api_keys") as (env, wait_for_request),
        daemon(env, store) as run,
    ):
        wait_for_request()
        assert run.stop() == 0
    with organization_with({}) as (env, _), daemon(env, store) as run:
        run.until("catching_up")
        run.until("run_ended", outcome="done")
    with organization_with({}) as (env, _), daemon(env, store) as run:
        run.until("up_to_date")
        assert run.stop() == 0
        assert run.count("run_started") == 0
    assert [night.complete for night in nights(store)] == [True, False, True]


def test_a_scan_of_an_unreachable_api_is_retried_before_the_next_run(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    with socket.socket() as kept:  # so that no other process takes the port
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((HOST, 0))
        port = kept.getsockname()[1]
        env = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": f"http://{HOST}:{port}/v1"}
        with daemon(env, store) as run:
            first = run.until("run_ended")
            assert (first["outcome"], first["exit_code"]) == ("failed", 3)
            assert "Connection refused" in first["error"]
            run.until("run_again", attempt=2)
            with organization(port):
                run.until("run_ended", outcome="done")
                found = run.metrics()
            assert run.stop() == 0
    assert found["keyvigil_runs_total{done}"] == 1
    assert found["keyvigil_runs_total{failed}"] >= 1
    assert len(nights(store)) == 2


def test_a_run_that_never_succeeds_is_given_up_and_fails_the_health_check(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    with daemon({"OPENAI_ADMIN_KEY": SANDBOX_KEY}, store, retries="0.5,0.5") as run:
        run.until("run_given_up")
        status, body = run.get("/healthz")
        assert status == 503
        told = json.loads(body)
        assert told["status"] == "overdue"
        assert " 3 (failed)" in told["reason"]
        assert run.get("/readyz")[0] == 200
        assert run.metrics()["keyvigil_runs_total{failed}"] == 3
        assert run.stop() == 0


def test_a_scan_with_an_unreachable_database_is_retried_before_the_next_run(
    server: Any,
    database: str,
) -> None:
    a_night_ago(database)
    name = database.split("?", maxsplit=1)[0].rpartition("/")[2]
    server.psql(f"ALTER DATABASE {name} RENAME TO away")
    with organization() as env, daemon(env, database, retries=OFTEN) as run:
        run.until("history_unreadable")
        first = run.until("run_ended")
        assert (first["outcome"], first["exit_code"]) == ("failed", 3)
        server.psql(f"ALTER DATABASE away RENAME TO {name}")
        run.until("run_ended", outcome="done")
        assert run.stop() == 0
    assert len(nights(database)) == 2


def test_two_daemons_on_one_database_scan_once_per_due_time(database: str, dues: Dues) -> None:
    with (
        organization() as env,
        daemon(env | dues.env, database) as one,
        daemon(env | dues.env, database) as other,
    ):
        both = (one, other)

        def total(name: str) -> float:
            return sum(run.metrics()[f"keyvigil_runs_{name}"] for run in both)

        def are_done(number: int) -> bool:
            return total("total{done}") == total("skipped_total") == number

        for run in both:
            run.until("no_history")
        for number in (1, 2, 3):
            dues.add()
            until(partial(are_done, number))
        assert total("total{failed}") == 0
        assert [run.stop() for run in both] == [0, 0]
    assert len(nights(database)) == 3


def test_a_daemon_that_starts_after_the_other_has_scanned_skips_the_run(database: str) -> None:
    a_night_ago(database)
    with organization() as env, daemon(env, database) as one:
        one.until("run_ended", outcome="done")
        with daemon(env, database) as other:
            other.until("up_to_date")
            assert other.stop() == 0
            assert other.count("run_started") == 0
    assert len(nights(database)) == 2


def test_a_killed_scan_does_not_affect_the_daemon_and_is_retried(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    made = sandbox_organization(seed=7, projects=3, keys_per_project=3)
    gate = Gate(SandboxApp(made, keys={SANDBOX_KEY: ALL_SCOPES}), "api_keys")
    with serving(gate) as url:
        env = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url, "KEYVIGIL_LEASE": "3600"}
        with daemon(env, store) as run:
            gate.wait()
            (scan,) = children(run.process.pid)
            os.kill(scan, signal.SIGKILL)
            gate.open()
            first = run.until("run_ended")
            assert (first["outcome"], first["exit_code"]) == ("failed", -signal.SIGKILL)
            run.until("run_ended", outcome="locked")
            let_lease_run_out(str(store))
            run.until("run_ended", outcome="done")
            assert run.stop() == 0
    assert [night.complete for night in nights(store)] == [True, True]


def test_a_scan_that_exceeds_its_timeout_is_ended_and_counted(tmp_path: Path) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    made = sandbox_organization(seed=7, projects=3, keys_per_project=3)
    app = FaultyApp(SandboxApp(made, keys={SANDBOX_KEY: ALL_SCOPES}), {"api_keys": Faults(stall=1)})
    with serving(app) as url:
        env = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url}
        with daemon(env, store, timeout=2) as run:
            assert run.until("run_ended")["outcome"] == "timed_out"
            run.until("run_given_up")
            assert run.get("/healthz")[0] == 503
            found = run.metrics()
            assert run.stop() == 0
    assert found["keyvigil_runs_total{timed_out}"] == 1
    assert found["keyvigil_next_run_timestamp_seconds"] > time.time()


def test_runs_that_were_due_too_long_ago_are_counted_as_missed(tmp_path: Path, dues: Dues) -> None:
    store = tmp_path / "history.db"
    a_night_ago(store)
    for minutes in (40, 30, 20, 10):
        dues.add(timedelta(minutes=minutes))
    with organization() as env, daemon(env | dues.env, store) as run:
        run.until("run_ended", outcome="done")
        assert run.until("runs_missed")["count"] == 3
        assert run.metrics()["keyvigil_runs_missed_total"] == 3


def test_it_removes_its_files_and_keeps_its_copies_private(tmp_path: Path) -> None:
    policy, store = tmp_path / "mine.yaml", tmp_path / "history.db"
    policy.write_text(POLICY.format(name="mine"))
    private = tmp_path / "tmp"
    private.mkdir()
    with organization() as env, daemon({**env, "TMPDIR": str(private)}, store, policy) as run:
        run.until("started")
        (folder,) = private.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        copies = [path for path in folder.rglob("*") if path.is_file()]
        assert {path.name for path in copies} == {"keyvigil.yaml", "mine.yaml"}
        assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
        assert run.stop() == 0
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_scan_dated_in_the_future_degrades_health(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    is_file = kind == "sqlite"
    store = str(tmp_path / "h.db") if is_file else request.getfixturevalue("database")
    a_night_ago(store, seconds=-LONG)
    with daemon({"OPENAI_ADMIN_KEY": SANDBOX_KEY}, store) as run:
        problem = run.until("clock_problem")["problem"]
        assert problem.startswith("recorded scans: ")
        code, body = run.get("/healthz")
        assert (code, json.loads(body)["status"]) == (200, "degraded")
        assert problem in json.loads(body)["reason"]
        until(lambda: run.metrics()["keyvigil_clock_problems"] == 1)
        assert run.stop() == 0


def test_an_idle_daemon_needs_little_memory(tmp_path: Path) -> None:
    with daemon({"OPENAI_ADMIN_KEY": SANDBOX_KEY}, tmp_path / "history.db") as run:
        run.until("no_history")
        until(lambda: not children(run.process.pid))
        status = Path(f"/proc/{run.process.pid}/status").read_text()
        (kilobytes,) = (int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
        assert run.stop() == 0
    assert kilobytes < 80_000


def test_ctrl_c_stops_it_immediately(tmp_path: Path) -> None:
    with daemon({"OPENAI_ADMIN_KEY": SANDBOX_KEY}, tmp_path / "history.db") as run:
        run.until("no_history")
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(PATIENCE) == 0


def test_a_key_file_that_is_replaced_is_read_by_the_next_scan(tmp_path: Path, dues: Dues) -> None:
    """As the kubelet replaces a mounted Secret: a symbolic link gets a new target."""
    for name, key in (("old", "sk-admin-revoked-long-ago-not-a-real-key"), ("new", SANDBOX_KEY)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"{key}\n")
    (tmp_path / "data").symlink_to("old")
    config = tmp_path / "keyvigil.yaml"
    config.write_text(f"organizations: [{{name: {NAME}, key_file: data/key}}]\n")
    store = tmp_path / "history.db"
    with organization() as env:
        del env["OPENAI_ADMIN_KEY"]
        env["KEYVIGIL_CONFIG"] = str(config)
        with daemon(env | dues.env, store) as run:
            run.until("no_history")
            dues.add()
            assert run.until("run_ended")["outcome"] != "done"
            (tmp_path / "next").symlink_to("new")
            (tmp_path / "next").rename(tmp_path / "data")
            dues.add()
            run.until("run_ended", outcome="done")
            assert run.stop() == 0
    assert nights(store)
