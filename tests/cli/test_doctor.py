"""`keyvigil doctor` with each fault: the check that reports it, and its help."""

import http.server
import os
import pty
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.server import serving
from tests.cli.examined import examined, problems
from tests.cli.running import COMMAND, Ran, environment, keyvigil
from tests.support.prose import Prose

pytestmark = pytest.mark.slow
USAGE = """\
policy: mine
rules:
  - { id: busy, title: t, severity: low, violated_when: { usage.requests: 9 }, why: w, fix: f }
  - { id: dear, title: t, severity: low, violated_when: { usage.cost_usd: 9 }, why: w, fix: f }
  - { id: wide, title: t, severity: low, violated_when: { scopes: all }, why: w, fix: f }
"""
API = {
    *("projects", "users", "admin_api_keys", "api_keys", "service_accounts"),
    *("usage", "costs", "audit_logs"),
}


def test_without_faults_there_is_no_problem_and_no_change(
    own: dict[str, str], organization: SandboxOrganization, tmp_path: Path, prose: Prose
) -> None:
    ran = keyvigil("doctor", env=own, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("ok           versions          keyvigil 0.1.0, Python 3.")
    place = next(number for number, line in enumerate(lines) if "changing keys" in line)
    assert lines[place].startswith("not checked  changing keys     ")
    assert lines[place + 1].startswith("             help: ")
    # The versions, the next scans and the clock's difference vary.
    shown = [line for line in lines[1:] if line.split()[1] not in {"schedule", "clock"}]
    prose("\n".join(shown), url=own["OPENAI_BASE_URL"])
    assert organization.writes == []
    assert list(tmp_path.iterdir()) == []


def test_an_existing_history_is_read_and_written_without_changes(
    own: dict[str, str], tmp_path: Path
) -> None:
    keyvigil("scan", env=own, cwd=tmp_path)
    code, lines = examined(own, tmp_path)
    assert code == 0
    assert lines["history"][1].startswith(f"{tmp_path}/history.db ")
    assert lines["lock"][0] == "ok"
    assert keyvigil("scan", env=own, cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-proj-made-up-secret-0123456789",
        "sk-svcacct-made-up-secret-012345",
        "made-up-secret",
    ],
    ids=["none", "project", "service account", "other"],
)
def test_a_key_of_the_wrong_kind_is_recognized_before_any_request(
    own: dict[str, str], tmp_path: Path, key: str, prose: Prose
) -> None:
    asked: list[str] = []

    async def noted(scope: Any, _receive: Any, _send: Any) -> None:
        asked.append(scope["path"])

    with serving(noted) as url:
        env = {**own, "OPENAI_ADMIN_KEY": key, "OPENAI_BASE_URL": url}
        code, lines = examined(env, tmp_path)
    assert code == 2
    assert asked == []
    assert problems(lines) == {"admin key"}
    prose("\n".join(lines["admin key"][1:]))
    assert {lines[name][0] for name in API} == {"not checked"}
    assert lines["history"][0] == "ok"


def test_a_key_that_the_api_does_not_accept(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_ADMIN_KEY": "sk-admin-made-up-secret"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert "401" in lines["projects"][1]
    assert "OPENAI_ADMIN_KEY" in lines["projects"][2]
    assert lines["users"][0] == "not checked"


@pytest.mark.parametrize(
    ("scope", "wrong"),
    [
        ("api.management.read", {"projects", "users", "admin_api_keys"}),
        ("api.usage.read", {"usage", "costs"}),
        ("api.audit_logs.read", {"audit_logs"}),
    ],
)
def test_a_missing_scope_is_named_for_each_collection_that_needs_it(
    organization: SandboxOrganization,
    own: dict[str, str],
    tmp_path: Path,
    scope: str,
    wrong: set[str],
) -> None:
    (tmp_path / "mine.yaml").write_text(USAGE)
    app = SandboxApp(organization, keys={SANDBOX_KEY: ALL_SCOPES - {scope}})
    with serving(app) as url:
        env = {**own, "OPENAI_BASE_URL": url}
        code, lines = examined(env, tmp_path, "--policy", "mine.yaml")
        _, unneeded = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, wrong)
    for name in wrong:
        assert " 403:" in lines[name][1]
        assert scope in lines[name][2]
    # The baseline needs neither usage nor costs nor the audit log.
    assert problems(unneeded) == wrong & {"projects", "users", "admin_api_keys"}
    for name in wrong - problems(unneeded):
        assert "GET /organization/" in unneeded[name][1]
        assert scope in unneeded[name][2]


def test_an_api_that_cannot_be_reached(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert lines["projects"][1].startswith("http://127.0.0.1:9/v1 ")
    assert lines["projects"][1].endswith(": Connection refused")
    assert "OPENAI_BASE_URL" in lines["projects"][2]
    assert lines["clock"][0] == "not checked"


def test_an_address_that_is_not_safe(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "http://example.com/v1"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (2, {"connection"})
    assert lines["connection"][1].startswith("OPENAI_BASE_URL ")
    assert lines["admin key"][0] == "ok"


class _Late(http.server.BaseHTTPRequestHandler):
    """An API of an empty organization, whose clock is an hour ahead."""

    def do_GET(self) -> None:
        body = b'{"data": [], "has_more": false}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + 3600)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def late_api(certificate: Path | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Late)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_clock_that_is_wrong(own: dict[str, str], tmp_path: Path) -> None:
    with late_api() as port:
        env = {**own, "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}
        code, lines = examined({**env, "KEYVIGIL_ORGANIZATION": "acme"}, tmp_path)
    assert (code, problems(lines)) == (3, {"clock"})
    assert " behind " in lines["clock"][1]
    assert "NTP" in lines["clock"][2]


def test_a_certificate_that_is_not_trusted(
    own: dict[str, str], certificate: Path, tmp_path: Path
) -> None:
    with late_api(certificate) as port:
        env = {**own, "OPENAI_BASE_URL": f"https://localhost:{port}/v1", "NO_PROXY": "localhost"}
        code, lines = examined(env, tmp_path)
        trusted = {**env, "SSL_CERT_FILE": str(certificate), "SSL_CERT_DIR": ""}
        _, fixed = examined(trusted, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert lines["projects"][1].endswith("TLS: self-signed certificate")
    assert "http.ca_bundle" in lines["projects"][2]
    assert fixed["projects"][0] == "ok"
    assert fixed["connection"][1].endswith(" SSL_CERT_FILE")


def test_tls_settings_with_a_missing_file(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "https://localhost:9/v1", "SSL_CERT_FILE": "/nowhere"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (2, {"proxy and TLS"})
    assert "SSL_CERT_FILE" in lines["proxy and TLS"][2]
    assert {lines[name][0] for name in API} == {"not checked"}


def test_a_proxy_is_shown_without_its_password(own: dict[str, str], tmp_path: Path) -> None:
    env = {
        **own,
        "OPENAI_BASE_URL": "https://api.example.com/v1",
        "HTTPS_PROXY": "http://ada:made-up-secret@127.0.0.1:9",
        "NO_PROXY": "",
    }
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert "127.0.0.1:9 (HTTPS_PROXY)" in lines["connection"][1]


def test_a_file_where_the_historys_folder_should_be(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    code, lines = examined({**own, "KEYVIGIL_STORE": str(tmp_path / "state" / "h.db")}, tmp_path)
    assert (code, problems(lines)) == (2, {"history"})
    assert f"{tmp_path}/state " in lines["history"][1]


def test_a_file_that_is_not_a_history(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("text that is longer than the header of a database")
    code, lines = examined(own, tmp_path)
    assert (code, problems(lines)) == (2, {"history"})
    assert f"{tmp_path}/history.db" in lines["history"][1]
    assert "SQLite" in lines["history"][1]


def test_a_database_that_cannot_be_reached(own: dict[str, str], tmp_path: Path) -> None:
    place = "postgresql://ada:made-up-secret@127.0.0.1:9/keyvigil"
    code, lines = examined({**own, "KEYVIGIL_STORE": place}, tmp_path)
    assert (code, problems(lines)) == (3, {"history"})
    assert "postgresql://ada:***@127.0.0.1:9/keyvigil" in lines["history"][1]


def test_each_report_is_checked_for_a_writable_folder(
    own: dict[str, str], tmp_path: Path, prose: Prose
) -> None:
    (tmp_path / "file").write_text("")
    arguments = ("--output", "html=missing/report.html", "--output", "json=file/report.json")
    code, lines = examined(own, tmp_path, *arguments, "--metrics-textfile", "file/x.prom")
    assert (code, problems(lines)) == (2, {"output json", "metrics"})
    assert lines["output html"][0] == "ok"
    prose("\n".join((*lines["output html"][1:], *lines["output json"][1:])))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_in_which_no_file_can_be_created_is_a_problem(
    own: dict[str, str], tmp_path: Path
) -> None:
    code, lines = examined(own, tmp_path, "--output", "json=/proc/report.json")
    assert (code, problems(lines)) in ((2, {"output json"}), (3, {"output json"}))  # root, others
    assert "/proc/report.json" in lines["output json"][1]


def test_mode_and_limits_of_revocation_are_shown(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text("revocation: { mode: plan, max_keys: 3 }\n")
    _, lines = examined(own, tmp_path)
    assert lines["revocation"][1].startswith("plan: ")
    assert " 3 keys " in lines["revocation"][1]
    _, off = examined({**own, "KEYVIGIL_REVOCATION": "off"}, tmp_path)
    assert off["revocation"][1].startswith("off: ")


def test_untrusted_names_are_inert(own: dict[str, str], tmp_path: Path) -> None:
    ran: Ran = keyvigil("doctor", "--policy", "\x1b]0;x\x07.yaml", env=own, cwd=tmp_path)
    assert ran.code == 2
    assert not set(ran.out) & set("\x1b\x07")


def test_on_a_terminal_long_lines_are_indented(own: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    settings = {**own, "KEYVIGIL_POLICY": "basline", "COLUMNS": "70", "TERM": "xterm"}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "doctor"], env=environment(settings), cwd=tmp_path, stdout=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux reports the closed terminal as an error
            while some := os.read(ours, 65536):
                shown += some
    os.close(ours)
    assert process.returncode == 2
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 70
    place = next(number for number, line in enumerate(lines) if "changing keys" in line)
    below = lines[place + 1 : place + 4]
    assert {line[:31].strip() for line in below} == {""}
    assert any(line[31:].startswith("help: ") for line in below)
