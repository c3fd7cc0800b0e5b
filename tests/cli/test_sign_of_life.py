"""Metrics and pings of the real command, for each way in which a run ends."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scanner.sandbox.server import serving
from tests.alerts.receiving import Answer, Receiver
from tests.cli.running import COMMAND, Ran, environment, keyvigil, sandbox
from tests.openai_api.scripted import Asked, Reply, Script
from tests.support.prose import Prose
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow
TOKEN = "token-that-is-a-secret"
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def organization() -> Iterator[dict[str, str]]:
    with sandbox("--projects", "2", "--keys-per-project", "6") as settings:
        yield settings


@pytest.fixture
def served() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    with serving(receiver) as url:
        yield receiver, f"{url}/{TOKEN}"


@pytest.fixture
def switch(served: tuple[Receiver, str]) -> Receiver:
    return served[0]


@pytest.fixture
def own(
    organization: dict[str, str], served: tuple[Receiver, str], tmp_path: Path
) -> dict[str, str]:
    return {
        **organization,
        "KEYVIGIL_STORE": str(tmp_path / "history.db"),
        "KEYVIGIL_PING_URL": served[1],
        "KEYVIGIL_METRICS_TEXTFILE": str(tmp_path / "keyvigil.prom"),
    }


@contextmanager
def heeding_hangups() -> Iterator[None]:
    """Let processes that are started meanwhile handle SIGHUP, which nohup makes them ignore."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def pings(switch: Receiver) -> list[tuple[str, str]]:
    start = f"/v1/{TOKEN}"
    return [(one.path.removeprefix(start), one.body.decode()) for one in switch.received]


def metrics(folder: Path) -> dict[str, float]:
    """Return the values of the metrics with the label `organization` only, which is checked."""
    text = (folder / "keyvigil.prom").read_text()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    assert {one.labels["organization"] for one in samples} == {"sandbox-7"}
    return {one.name: one.value for one in samples if len(one.labels) == 1}


def test_a_successful_scan_pings_and_writes_world_readable_metrics(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    ran = keyvigil("scan", "--fail-on", "info", env=own, cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "")  # findings do not make a scan fail
    assert pings(switch) == [("/start", ""), ("", "")]
    told = metrics(tmp_path)
    assert told["keyvigil_last_success_timestamp_seconds"] > 1_700_000_000
    assert told["keyvigil_keys"] == 17
    assert told["keyvigil_alerts_pending"] == 0
    file = tmp_path / "keyvigil.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    assert TOKEN not in file.read_text()
    assert sorted(one.name for one in tmp_path.glob(".keyvigil-*")) == []


def test_a_failed_scan_pings_the_cause_and_keeps_the_time_of_the_last_success(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    keyvigil("scan", env=own, cwd=tmp_path)
    before = metrics(tmp_path)
    switch.play()
    ran = keyvigil("scan", env={**own, "OPENAI_BASE_URL": NOWHERE}, cwd=tmp_path)
    assert ran.code == 3
    (start, (path, body)) = pings(switch)
    assert (start, path) == (("/start", ""), "/fail")
    assert body.startswith(f"exit 3: {NOWHERE} ")
    assert ran.err.splitlines()[0] == f"error: {body.removeprefix('exit 3: ')}"
    after = metrics(tmp_path)
    success, run = (f"keyvigil_last_{what}_timestamp_seconds" for what in ("success", "run"))
    assert after[success] == before[success]
    assert after[run] > before[run]
    assert after["keyvigil_retries_total"] == 5
    assert "keyvigil_keys" not in after


def test_an_incomplete_scan_is_not_a_success_and_writes_its_figures(
    own: dict[str, str], switch: Receiver, tmp_path: Path, prose: Prose
) -> None:
    with sandbox("--deny", "users") as organization:
        ran = keyvigil("scan", env={**own, **organization}, cwd=tmp_path)
    assert ran.code == 3
    (start, (path, body)) = pings(switch)
    assert (start, path) == (("/start", ""), "/fail")
    assert "api.management.read" in body
    prose(body)
    told = metrics(tmp_path)
    assert told["keyvigil_keys"] > 17
    assert "keyvigil_last_success_timestamp_seconds" not in told


def test_an_undelivered_alert_is_not_a_success(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    settings = {
        **own,
        "KEYVIGIL_SMTP_URL": "smtp://127.0.0.1:9",
        "KEYVIGIL_MAIL_FROM": "scan@example.com",
        "KEYVIGIL_MAIL_TO": "ada@example.com",
    }
    ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert ran.code == 4
    (_, (path, body)) = pings(switch)
    assert path == "/fail"
    assert body.startswith("exit 4: ")
    assert "'email'" in body
    told = metrics(tmp_path)
    assert (told["keyvigil_alerts_pending"], told["keyvigil_alerts_failed"]) == (1, 1)
    assert "keyvigil_last_success_timestamp_seconds" not in told


def test_an_error_in_the_settings_pings_fail_with_addresses_masked(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    ran = keyvigil("scan", "--policy", "ada@example.com.yaml", env=own, cwd=tmp_path)
    assert ran.code == 2
    (_, (path, body)) = pings(switch)
    assert (path, body.startswith("exit 2: ")) == ("/fail", True)
    assert " a***@example.com.yaml" in body


@pytest.mark.parametrize(
    ("words", "env", "why"),
    [
        (("--nix",), {}, "--nix"),
        (("--log-format", "xml"), {}, "--log-format"),
        ((), {"KEYVIGIL_REDACT_EMAILS": "perhaps"}, "KEYVIGIL_REDACT_EMAILS"),
    ],
)
def test_an_error_in_the_arguments_pings_fail(  # noqa: PLR0913, PLR0917
    own: dict[str, str],
    switch: Receiver,
    tmp_path: Path,
    words: tuple[str, ...],
    env: dict[str, str],
    why: str,
) -> None:
    ran = keyvigil("scan", *words, env={**own, **env}, cwd=tmp_path)
    assert ran.code == 2
    (_, (path, body)) = pings(switch)
    assert (path, why in body) == ("/fail", True)
    assert body.removeprefix("exit 2: ") in ran.err
    switch.play()
    assert keyvigil("scan", "--from=x", *words, env={**own, **env}, cwd=tmp_path).code == 2
    assert pings(switch) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3), (signal.SIGHUP, 3)]
)
def test_a_stopped_scan_reports_that(  # noqa: PLR0913, PLR0917
    own: dict[str, str],
    switch: Receiver,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    prose: Prose,
) -> None:
    stopped: list[int] = []
    started = threading.Event()

    def slow(asked: Asked) -> Reply:
        if not stopped:
            stopped.append(1)
            assert started.wait(PATIENCE)
            process.send_signal(number)
        project = {"id": "proj_1", "created_at": 1, "status": "active"}
        is_projects = asked.path.endswith("/organization/projects")
        return Reply(body={"data": [project] if is_projects else [], "has_more": is_projects})

    with serving(Script(slow)) as url, heeding_hangups():
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan", "--organization", "sandbox-7"],
            env=environment({**own, "OPENAI_BASE_URL": url}),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.set()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    (start, (path, body)) = pings(switch)
    assert (start, path, body.startswith("exit 3: ")) == (("/start", ""), "/fail", code == 3)
    prose(f"{err}{body}")
    assert "keyvigil_last_run_timestamp_seconds" in metrics(tmp_path)


def test_a_ping_that_is_not_accepted_is_reported_without_changing_the_exit_code(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    switch.play(Answer(status=404), Answer(status=404))
    ran = keyvigil("scan", env=own, cwd=tmp_path)
    assert ran.code == 0
    warnings = ran.err.splitlines()
    assert len(warnings) == 2
    assert all("404" in line and "KEYVIGIL_PING_URL" in line for line in warnings)


def test_metrics_that_cannot_be_written_are_an_error_and_not_a_success(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    def taken(asked: Asked) -> Reply:
        (tmp_path / "there").write_text("in place of the folder")
        listed = {
            "projects": [{"id": "proj_1", "created_at": 1, "status": "active", "name": "x"}],
            "users": [{"id": "user-1", "name": "Ada", "email": "ada@example.com", "role": "owner"}],
        }
        data = listed.get(asked.path.rpartition("/")[2], [])
        return Reply(body={"data": data, "has_more": False})

    settings = {**own, "KEYVIGIL_METRICS_TEXTFILE": str(tmp_path / "there" / "keyvigil.prom")}
    with serving(Script(taken)) as url:
        settings["OPENAI_BASE_URL"] = url
        ran = keyvigil("scan", "--organization", "x", env=settings, cwd=tmp_path)
    assert ran.code == 3
    assert "keyvigil.prom" in ran.err
    (_, (path, body)) = pings(switch)
    assert path == "/fail"
    assert body.startswith(f"exit 3: {tmp_path}/there/keyvigil.prom ")


@pytest.mark.parametrize("arguments", [("--dry-run",), ("--from", "latest")])
def test_a_dry_run_and_a_recorded_scan_report_to_no_monitor(
    own: dict[str, str], switch: Receiver, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    quiet = {name: value for name, value in own.items() if name != "KEYVIGIL_PING_URL"}
    assert keyvigil("scan", env=quiet, cwd=tmp_path).code == 0
    before = (tmp_path / "keyvigil.prom").read_bytes()
    assert keyvigil("scan", *arguments, env=own, cwd=tmp_path).code == 0
    assert pings(switch) == []
    assert (tmp_path / "keyvigil.prom").read_bytes() == before


def test_while_another_scan_runs_only_that_one_reports_for_the_organization(
    own: dict[str, str], switch: Receiver, tmp_path: Path
) -> None:
    found: list[Ran] = []

    def slow(asked: Asked) -> Reply:
        if not found and asked.path.endswith("/users"):
            found.append(keyvigil("scan", env=settings, cwd=tmp_path))
        project = {"id": "proj_1", "created_at": 1, "status": "active", "name": "x"}
        return Reply(body={"data": [project], "has_more": False})

    settings = {**own, "KEYVIGIL_ORGANIZATION": "sandbox-7"}
    with serving(Script(slow)) as url:
        settings["OPENAI_BASE_URL"] = url
        keyvigil("scan", env=settings, cwd=tmp_path)
    assert found[0].code == 3
    assert "sandbox-7" in found[0].err
    assert [path for path, _ in pings(switch)] == ["/start", "/start", "/fail"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "x", "--metrics-textfile", "y"),
        ("--metrics-textfile", "."),
        ("--output", "json=a.prom", "--metrics-textfile", "a.prom"),
    ],
    ids=["no effect", "folder", "same place"],
)
def test_an_invalid_metrics_file_is_an_error(
    arguments: tuple[str, ...], tmp_path: Path, prose: Prose
) -> None:
    ran = keyvigil(
        "scan", *arguments, cwd=tmp_path, env={"OPENAI_ADMIN_KEY": "sk-admin-" + "x" * 9}
    )
    assert ran.code == 2
    prose(ran.err)
