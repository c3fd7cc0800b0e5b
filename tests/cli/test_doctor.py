"""`keyvigil doctor` beside each fault: the line that tells it, and its mend in the next."""

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


def test_where_all_is_well_there_is_no_problem_and_nothing_was_changed(
    own: dict[str, str], organization: SandboxOrganization, tmp_path: Path
) -> None:
    ran = keyvigil("doctor", env=own, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("ok           versions          keyvigil 0.1.0, Python 3.")
    assert "ok           users             GET /organization/users answers" in lines
    place = next(number for number, line in enumerate(lines) if "changing keys" in line)
    assert lines[place].startswith(
        "not checked  changing keys     whether the admin key may change"
    )
    assert lines[place + 1].startswith("             help: A scan needs no more than to read")
    assert f"{tmp_path}/history.db is not there yet: the first scan makes it" in ran.out
    assert organization.writes == []
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_is_there_is_read_and_written_and_stays_as_it_was(
    own: dict[str, str], tmp_path: Path
) -> None:
    keyvigil("scan", env=own, cwd=tmp_path)
    code, lines = examined(own, tmp_path)
    assert code == 0
    assert lines["history"][1].startswith(f"{tmp_path}/history.db can be read and written, schema ")
    assert lines["lock"][:2] == ("ok", "no scan is running")
    assert keyvigil("scan", env=own, cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "OPENAI_ADMIN_KEY is not set"),
        ("sk-proj-made-up-secret-0123456789", "a project key (sk-proj-...)"),
        ("sk-svcacct-made-up-secret-012345", "a service account's project key"),
        ("made-up-secret", "not an OpenAI key"),
    ],
)
def test_a_key_of_the_wrong_kind_is_recognized_before_anything_is_asked(
    own: dict[str, str], tmp_path: Path, key: str, said: str
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
    assert said in lines["admin key"][1]
    assert lines["admin key"][2].startswith("Create an admin key under Organization > Admin keys")
    assert {lines[name][0] for name in API} == {"not checked"}
    assert lines["history"][0] == "ok"


def test_a_key_that_the_api_does_not_know(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_ADMIN_KEY": "sk-admin-made-up-secret"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert "answered 401" in lines["projects"][1]
    assert lines["projects"][2] == (
        "Check the admin key, in OPENAI_ADMIN_KEY or where the settings say: it may be mistyped or"
        " deleted."
    )
    assert lines["users"][:2] == ("not checked", "the API does not take the key")


@pytest.mark.parametrize(
    ("scope", "wrong"),
    [
        ("api.management.read", {"projects", "users", "admin_api_keys"}),
        ("api.usage.read", {"usage", "costs"}),
        ("api.audit_logs.read", {"audit_logs"}),
    ],
)
def test_a_missing_scope_is_named_with_what_rests_on_it(
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
        assert "answered 403" in lines[name][1]
        assert f"Give the admin key the scope {scope}," in lines[name][2]
    # The baseline rests on neither usage nor costs nor the audit log.
    assert problems(unneeded) == wrong & {"projects", "users", "admin_api_keys"}
    for name in wrong - problems(unneeded):
        assert unneeded[name][1].startswith("no rule needs it; else: GET /organization/")
        assert scope in unneeded[name][2]


def test_an_api_that_cannot_be_reached(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert lines["projects"][1] == "http://127.0.0.1:9/v1 cannot be reached: Connection refused"
    assert lines["projects"][2].startswith("Check the network, OPENAI_BASE_URL, HTTPS_PROXY")
    assert lines["clock"][0] == "not checked"


def test_an_address_that_is_not_safe(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "http://example.com/v1"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (2, {"connection"})
    assert lines["connection"][1].startswith("OPENAI_BASE_URL is plain http")
    assert lines["admin key"][0] == "ok"


class _Late(http.server.BaseHTTPRequestHandler):
    """An API without anything in it, whose clock is an hour ahead."""

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
    assert lines["clock"][1].startswith("this machine's clock is ")
    assert lines["clock"][1].endswith(" behind the API's")
    assert "let NTP set it" in lines["clock"][2]


def test_a_certificate_that_nobody_vouches_for(
    own: dict[str, str], certificate: Path, tmp_path: Path
) -> None:
    with late_api(certificate) as port:
        env = {**own, "OPENAI_BASE_URL": f"https://localhost:{port}/v1", "NO_PROXY": "localhost"}
        code, lines = examined(env, tmp_path)
        trusted = {**env, "SSL_CERT_FILE": str(certificate), "SSL_CERT_DIR": ""}
        _, mended = examined(trusted, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert "cannot be reached: TLS: self-signed certificate" in lines["projects"][1]
    assert lines["projects"][2].endswith("in http.ca_bundle of the settings, or in SSL_CERT_FILE.")
    assert mended["projects"][0] == "ok"
    assert mended["connection"][1].endswith(": over TLS, directly, trusting SSL_CERT_FILE")


def test_tls_settings_that_lead_nowhere(own: dict[str, str], tmp_path: Path) -> None:
    env = {**own, "OPENAI_BASE_URL": "https://localhost:9/v1", "SSL_CERT_FILE": "/nowhere"}
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (2, {"proxy and TLS"})
    assert "SSL_CERT_FILE" in lines["proxy and TLS"][2]
    assert {lines[name][0] for name in API} == {"not checked"}


def test_a_proxy_is_told_without_its_password(own: dict[str, str], tmp_path: Path) -> None:
    env = {
        **own,
        "OPENAI_BASE_URL": "https://api.example.com/v1",
        "HTTPS_PROXY": "http://ada:made-up-secret@127.0.0.1:9",
        "NO_PROXY": "",
    }
    code, lines = examined(env, tmp_path)
    assert (code, problems(lines)) == (3, {"projects"})
    assert "through the proxy 127.0.0.1:9 (HTTPS_PROXY)" in lines["connection"][1]


def test_a_file_where_the_historys_folder_should_be(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    code, lines = examined({**own, "KEYVIGIL_STORE": str(tmp_path / "state" / "h.db")}, tmp_path)
    assert (code, problems(lines)) == (2, {"history"})
    assert f"{tmp_path}/state is not a folder that you may write to" in lines["history"][1]
    assert lines["history"][2] == "Name a file in a folder of yours."


def test_a_file_that_is_no_history(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("no database at all, and long enough to be seen as none")
    code, lines = examined(own, tmp_path)
    assert (code, problems(lines)) == (2, {"history"})
    assert f"{tmp_path}/history.db: it is not a SQLite database" in lines["history"][1]


def test_a_database_that_is_away(own: dict[str, str], tmp_path: Path) -> None:
    place = "postgresql://ada:made-up-secret@127.0.0.1:9/keyvigil"
    code, lines = examined({**own, "KEYVIGIL_STORE": place}, tmp_path)
    assert (code, problems(lines)) == (3, {"history"})
    assert "postgresql://ada:***@127.0.0.1:9/keyvigil failed" in lines["history"][1]
    assert lines["history"][2].startswith("Check host and port in the URL")


def test_reports_go_where_they_can_be_written(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ("--output", "html=missing/report.html", "--output", "json=file/report.json")
    code, lines = examined(own, tmp_path, *arguments, "--metrics-textfile", "file/x.prom")
    assert (code, problems(lines)) == (2, {"output json", "metrics"})
    assert lines["output html"][:2] == (
        "ok",
        "missing/report.html can be written; the folder missing will be made",
    )
    assert "is not a folder that you may write to" in lines["output json"][1]
    assert lines["output json"][2] == "Name a file in a folder of yours."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_that_takes_no_file_is_found_out(own: dict[str, str], tmp_path: Path) -> None:
    code, lines = examined(own, tmp_path, "--output", "json=/proc/report.json")
    assert (code, problems(lines)) in ((2, {"output json"}), (3, {"output json"}))  # root, others
    assert "/proc/report.json cannot be written" in lines["output json"][1]


def test_revocation_is_told_in_words(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text("revocation: { mode: plan, max_keys: 3 }\n")
    _, lines = examined(own, tmp_path)
    assert lines["revocation"][1].startswith(
        "plan: a plan is made and nothing is revoked; at most 3"
    )
    _, off = examined({**own, "KEYVIGIL_REVOCATION": "off"}, tmp_path)
    assert off["revocation"][1] == "off: nothing is revoked"


def test_names_from_strangers_are_inert(own: dict[str, str], tmp_path: Path) -> None:
    ran: Ran = keyvigil("doctor", "--policy", "\x1b]0;x\x07.yaml", env=own, cwd=tmp_path)
    assert ran.code == 2
    assert not set(ran.out) & set("\x1b\x07")


def test_on_a_terminal_what_is_too_long_is_indented(own: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    settings = {**own, "KEYVIGIL_POLICY": "basline", "COLUMNS": "70", "TERM": "xterm"}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "doctor"], env=environment(settings), cwd=tmp_path, stdout=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how Linux says that the other side has gone
            while some := os.read(ours, 65536):
                shown += some
    os.close(ours)
    assert process.returncode == 2
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 70
    place = next(number for number, line in enumerate(lines) if "changing keys" in line)
    more, mend = lines[place + 1 : place + 3]
    assert (more[:31].strip(), mend[:31].strip()) == ("", "")
    assert mend[31:].startswith("help: A scan needs no more")
