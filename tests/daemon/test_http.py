"""The pages over real HTTP: strict headers, one token, and only files from the folder."""

import base64
import http.client
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scanner.daemon.access import Access
from scanner.daemon.connections import Limits
from scanner.daemon.health import Health
from scanner.daemon.http import parse_address, serving
from scanner.daemon.metrics import Metrics
from scanner.daemon.pages import Pages
from scanner.daemon.reports import Reports
from scanner.errors import UsageError
from scanner.formats.html_report import SCRIPT_HASH, digest, render_html
from scanner.secret import Secret
from tests.daemon.test_connections import is_over
from tests.factories import a_result
from tests.support.waiting import PATIENCE, until

TOKEN = "a-token-of-some-length"
NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HOUR = timedelta(hours=1)


def silent(*_told: Any, **_fields: Any) -> None:
    """Implement Log without output."""


def basic(password: str, user: str = "ada") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def policed(policy: str) -> str:
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


class Site:
    """A server, with methods for requests to it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def pages(health: Health | None = None, reports: Reports | None = None, **more: Any) -> Pages:
    ok = Health(next_run=NOW + HOUR, grace=6 * HOUR, timeout=HOUR)
    return Pages(
        health=lambda: health or ok,
        is_ready=more.get("is_ready", lambda: True),
        metrics=lambda: Metrics().render(NOW),
        clock=lambda: NOW,
        access=more.get("access", Access(Secret(TOKEN if reports else ""))),
        reports=reports,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of reports, with files that must not be served, inside and outside."""
    (tmp_path / "secret.json").write_text("secret")
    out = tmp_path / "out"
    (out / "2026-11-25").mkdir(parents=True)
    (out / "report.html").write_text(render_html(a_result()))
    (out / "2026-11-25" / "report.json").write_text("{}")
    (out / "strange <b>&'\" ü.csv").write_text("a,b\n")
    (out / "history.db").write_text("secret")
    (out / ".hidden.json").write_text("secret")
    (out / "link.json").symlink_to(tmp_path / "secret.json")
    (out / "inside.json").symlink_to(out / "2026-11-25" / "report.json")
    (out / "up").symlink_to(tmp_path)
    os.mkfifo(out / "pipe.json")
    (out / "folder.html").mkdir()
    os.utime(out / "report.html", (1, 1))
    return out


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    with serving(pages(reports=Reports(folder)), "127.0.0.1", 0, silent) as where:
        yield Site(*where)


def test_health_is_503_with_a_reason_when_a_run_is_overdue() -> None:
    late = Health(next_run=NOW - HOUR, grace=6 * HOUR, timeout=HOUR)
    with serving(pages(late), "127.0.0.1", 0, silent) as where:
        status, headers, body = Site(*where).ask("/healthz")
    assert (status, headers["Content-Type"]) == (503, "application/json")
    assert json.loads(body) == {
        "status": "overdue",
        "reason": late.complaint(NOW),
        "next_run": "2026-11-25T02:00:00+00:00",
    }


def test_health_and_readiness_need_no_token(site: Site) -> None:
    assert json.loads(site.ask("/healthz")[2])["status"] == "ok"
    assert site.ask("/readyz?verbose=1")[0] == 200
    status, headers, body = site.ask("/metrics", BEARER)
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert body.decode() == Metrics().render(NOW)


def test_readyz_is_503_before_the_daemon_is_ready() -> None:
    with serving(pages(is_ready=lambda: False), "127.0.0.1", 0, silent) as where:
        assert Site(*where).ask("/readyz")[0] == 503


def test_reports_are_not_served_by_default() -> None:
    with serving(pages(), "127.0.0.1", 0, silent) as where:
        for path in ("/reports", "/reports/", "/reports/report.html", "/"):
            assert Site(*where).ask(path, BEARER)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Digest {TOKEN}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        basic(TOKEN + " x"),
        basic("", TOKEN),
    ],
)
@pytest.mark.parametrize(
    "path", ["/reports/", "/reports/report.html", "/reports/none.html", "/metrics"]
)
def test_without_the_token_no_information_is_returned(
    site: Site, path: str, headers: Mapping[str, str]
) -> None:
    status, answered, body = site.ask(path, headers)
    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Basic realm=")
    assert json.loads(body) == {"status": "unauthorized"}


@pytest.mark.parametrize("headers", [BEARER, basic(TOKEN), {"authorization": f"bearer {TOKEN}"}])
def test_with_the_token_a_report_is_served_unchanged(
    site: Site, folder: Path, headers: Mapping[str, str]
) -> None:
    status, answered, body = site.ask("/reports/report.html", headers)
    assert (status, body) == (200, (folder / "report.html").read_bytes())
    assert answered["Content-Type"] == "text/html; charset=utf-8"
    meta = re.search(r'Policy" content="([^"]+)"', body.decode())
    assert meta is not None
    own = meta[1].replace("&#39;", "'")
    assert "script-src 'sha256-" in own
    assert answered["Content-Security-Policy"] == f"{own}; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "path", ["/reports/", "/reports/report.html", "/metrics", "/none", "/healthz"]
)
def test_every_response_has_strict_headers(site: Site, path: str) -> None:
    _, headers, _ = site.ask(path, BEARER)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "keyvigil"


@pytest.mark.parametrize(
    "page",
    [
        "<script>alert(1)</script>",
        policed("default-src *"),
        policed("default-src 'none'; script-src 'unsafe-inline'"),
        policed("default-src 'none'; script-src https://example.com"),
        policed("default-src 'none'; img-src *"),
        *(
            policed(f"default-src 'none'; {directive} '{digest('foreign()')}'")
            for directive in (
                "script-src",
                "script-src-elem",
                "script-src-attr",
                "worker-src",
                f"script-src '{SCRIPT_HASH}'",
                f"script-src '{SCRIPT_HASH}'; script-src",
                f"style-src '{SCRIPT_HASH}'; script-src",
            )
        ),
    ],
)
def test_a_foreign_page_is_sandboxed(site: Site, folder: Path, page: str) -> None:
    (folder / "other.html").write_text(page)
    _, headers, _ = site.ask("/reports/other.html", BEARER)
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    )


def test_the_list_has_the_newest_first_and_escapes_hostile_names(site: Site) -> None:
    status, _, body = site.ask("/reports/", BEARER)
    assert status == 200
    links = re.findall(r'<a href="([^"]+)">([^<]+)</a>', body.decode())
    assert sorted(address for address, _ in links) == [
        "2026-11-25/report.json",
        "report.html",
        "strange%20%3Cb%3E%26%27%22%20%C3%BC.csv",
    ]
    assert links[-1][0] == "report.html"
    assert b"<b>" not in body
    for address, _ in links:
        assert site.ask(f"/reports/{address}", BEARER)[0] == 200


def test_the_newest_report_has_an_address_of_its_own(site: Site, folder: Path) -> None:
    (folder / "2026-11-25" / "later.html").write_text("later")
    status, headers, _ = site.ask("/reports/newest", BEARER)
    assert (status, headers["Location"]) == (302, "/reports/2026-11-25/later.html")
    status, headers, _ = site.ask("/reports", BEARER)
    assert (status, headers["Location"]) == (302, "/reports/")


@pytest.mark.parametrize(
    "path",
    [
        "/reports/../secret.json",
        "/reports/%2e%2e/secret.json",
        "/reports/..%2fsecret.json",
        "/reports/2026-11-25/../../secret.json",
        "/reports/2026-11-25/%2e%2e/%2e%2e/secret.json",
        "/reports//etc/passwd.json",
        "/reports/%2fetc%2fpasswd.json",
        "/reports/./report.html",
        "/reports/2026-11-25",
        "/reports/2026-11-25/",
        "/reports/link.json",
        "/reports/inside.json",
        "/reports/up/secret.json",
        "/reports/pipe.json",
        "/reports/folder.html",
        "/reports/history.db",
        "/reports/.hidden.json",
        "/reports/report.html%00.json",
        "/reports/report.html/x.json",
        "/reports/%ff.json",
        "/reports/%ud800.json",
        "/reports/" + "a" * 5000 + ".json",
        "/reports/none.html",
        "/reportsx/report.html",
    ],
)
def test_no_other_file_is_read(site: Site, path: str) -> None:
    status, _, body = site.ask(path, BEARER)
    assert status in (404, 414)
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_it_is_read_only(site: Site, method: str) -> None:
    status, headers, body = site.ask("/reports/report.html", BEARER, method)
    assert (status, body) == (501, b"")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_head_request_returns_only_headers(site: Site, folder: Path) -> None:
    status, headers, body = site.ask("/reports/report.html", BEARER, "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == (folder / "report.html").stat().st_size


def test_idle_connections_do_not_block_others(site: Site) -> None:
    waiting = [socket.create_connection((site.host, site.port)) for _ in range(20)]
    try:
        assert site.ask("/healthz")[0] == 200
    finally:
        for connection in waiting:
            connection.close()


def unfinished(site: Site, number: int) -> list[socket.socket]:
    """Open requests without completing them."""
    begun = [
        socket.create_connection((site.host, site.port), timeout=PATIENCE) for _ in range(number)
    ]
    for connection in begun:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nX: ")
    return begun


def test_incomplete_requests_do_not_block_others(site: Site) -> None:
    waiting = unfinished(site, 2 * Limits().most)
    try:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert site.ask(path, BEARER)[0] == 200
        assert is_over(waiting[0])
    finally:
        for connection in waiting:
            connection.close()


def test_an_incomplete_request_times_out() -> None:
    moments = count(step=6.0)
    limits = Limits(patience=10, clock=lambda: next(moments))
    with serving(pages(), "127.0.0.1", 0, silent, limits) as where:
        (slow,) = unfinished(Site(*where), 1)
        with slow:
            assert is_over(slow)


def test_a_response_may_take_longer_than_a_request() -> None:
    looks = [0.0]

    def clock() -> float:
        looks.append(looks[-1] + 6)
        return looks[-1]

    def is_ready() -> bool:
        seen = len(looks)
        until(lambda: len(looks) > seen + 4)
        return True

    limits = Limits(patience=10, clock=clock)
    with serving(pages(is_ready=is_ready), "127.0.0.1", 0, silent, limits) as where:
        assert Site(*where).ask("/readyz")[0] == 200


def test_connections_with_a_response_do_not_block_new_requests() -> None:
    with serving(pages(), "127.0.0.1", 0, silent, Limits(most=2)) as where:
        (asking,) = unfinished(Site(*where), 1)
        for _ in range(3):
            with socket.create_connection(where, timeout=PATIENCE) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
                with connection.makefile("rb") as answer:
                    assert answer.read().startswith(b"HTTP/1.0 200 ")
        with asking:
            asking.sendall(b"\r\n\r\n")
            assert asking.recv(100).startswith(b"HTTP/1.0 200 ")


def test_an_invalid_request_gets_an_empty_response(site: Site) -> None:
    with socket.create_connection((site.host, site.port), timeout=PATIENCE) as connection:
        connection.sendall(b"\xff\xfe /<nonsense> HTTP/1.1\r\n\r\n")
        answered = connection.recv(10_000)
    assert answered.startswith(b"HTTP/1.0 501 ")
    assert b"nonsense" not in answered


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET", b"400"),
        (b"GET / HTTP/1.1.1", b"400"),
        (b"GET / HTTP/-1.1", b"400"),
        (b"GET / HTTP/2.0", b"505"),
        (b"GET\0/ HTTP/1.1", b"400"),
    ],
)
def test_every_malformed_request_has_a_status(
    site: Site, request_line: bytes, status: bytes
) -> None:
    with socket.create_connection((site.host, site.port), timeout=PATIENCE) as connection:
        connection.sendall(request_line + b"\r\n\r\n")
        answered = connection.recv(10_000)
    assert answered.startswith(b"HTTP/1.0 " + status)


def a_file(path: Path) -> None:
    path.touch()


def a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("made", "why"), [(a_file, "Not a directory"), (a_loop, "Too many levels of symbolic links")]
)
def test_an_unreadable_folder_is_not_an_empty_one(
    site: Site, folder: Path, made: Callable[[Path], None], why: str
) -> None:
    shutil.rmtree(folder)
    made(folder)
    for path in ("/reports/", "/reports/newest", "/reports/report.html"):
        status, _, body = site.ask(path, BEARER)
        answer = json.loads(body)
        assert (status, answer["status"]) == (503, "unreadable")
        assert f": {why}." in answer["reason"]
        assert site.ask(path)[0] == 401


def test_a_missing_folder_has_no_reports(site: Site, folder: Path) -> None:
    shutil.rmtree(folder)
    status, _, body = site.ask("/reports/", BEARER)
    assert status == 200
    assert b"report.html" not in body


@pytest.mark.parametrize("token", ["", "short", "fifteen-letters", "ümlaut-of-some-length"])
def test_a_weak_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="KEYVIGIL_REPORTS_TOKEN is"):
        Access(Secret(token), is_required=True)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        (" 0.0.0.0:65535 ", ("0.0.0.0", 65535)),  # noqa: S104 - parsed, not bound
    ],
)
def test_a_valid_address_is_parsed(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "host", "host:", "host:x", "host:65536", "::1:80"]
)
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT") as caught:
        parse_address(text)
    assert f" {text} " in str(caught.value)


def test_a_used_port_and_a_foreign_host_are_usage_errors(site: Site) -> None:
    names = ("192.0.2.1", "no.such.host.invalid", "a..b", "\udcff")
    for host, port in ((site.host, site.port), *((name, 0) for name in names)):
        with (
            pytest.raises(UsageError, match=f" {host}:{port}: "),
            serving(pages(), host, port, silent),
        ):
            pass


def test_it_listens_on_ipv6() -> None:
    with serving(pages(), "::1", 0, silent) as (host, port):
        assert Site(host, port).ask("/healthz")[0] == 200
