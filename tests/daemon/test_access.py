"""Access: the token and the names of the server; every request gets a response."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.daemon.access import Access
from scanner.daemon.events import Level
from scanner.daemon.http import serving
from scanner.daemon.pages import Asked
from scanner.daemon.reports import Reports
from scanner.errors import UsageError
from scanner.secret import Secret
from tests.daemon.test_http import BEARER, TOKEN, Site, basic, pages, silent

OPEN = Access(Secret(""), ["keyvigil.example.com", "NAS."])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    reports = Reports(tmp_path_factory.mktemp("out"))
    with serving(pages(reports=reports), "127.0.0.1", 0, silent) as where:
        yield Site(*where)


def sent(site: Site, request: bytes) -> bytes:
    """Send bytes and return the status of the response."""
    with socket.create_connection((site.host, site.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return [*answer.readline().split(), b"", b""][1]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET * HTTP/1.1", b"404"),
        (b"HEAD * HTTP/1.1", b"404"),
        (b"GET ? HTTP/1.1", b"404"),
        (b"GET x HTTP/1.1", b"404"),
        (b"GET // HTTP/1.1", b"302"),
        (b"GET \xe9 HTTP/1.1", b"404"),
        (b"GET http://x/metrics HTTP/1.1", b"404"),
        (b"GET / HTTP/1.1", b"302"),
        (b"GET /?x HTTP/1.1", b"302"),
    ],
)
def test_every_target_has_a_response(site: Site, request_line: bytes, status: bytes) -> None:
    assert sent(site, request_line + b"\r\nHost: x\r\n\r\n") == status


@pytest.mark.parametrize(
    "authorization",
    [
        b"Basic \xe9",
        b"Basic \xff\xfe",
        b"Bearer \xe9",
        b"\xe9",
        b"Basic =",
        b"Basic a",
        b"Basic /w==",
        b"Basic 7aCA",
        b"Basic " + b"A" * 20_000,
        b"Basic\x00",
        b"Basic \x85",
    ],
)
@pytest.mark.parametrize("path", [b"/reports/", b"/metrics"])
def test_every_authorization_has_a_response(site: Site, path: bytes, authorization: bytes) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n" % (path, authorization)
    assert sent(site, request) == b"401"


def test_the_root_redirects_to_the_reports(site: Site) -> None:
    status, headers, _ = site.ask("/")
    assert (status, headers["Location"]) == (302, "/reports/")


def test_an_internal_error_is_a_500_and_is_logged() -> None:
    logged: list[str] = []

    def log(level: Level, event: str, **_fields: object) -> None:
        assert level is Level.ERROR
        logged.append(event)

    def broken() -> bool:
        raise RuntimeError("defect")

    with serving(pages(is_ready=broken), "127.0.0.1", 0, log) as where:
        assert Site(*where).ask("/readyz")[0] == 500
        assert Site(*where).ask("/healthz")[0] == 200
    assert logged == ["http_failed"]


@pytest.mark.parametrize("headers", [BEARER, basic(TOKEN)])
def test_metrics_require_the_token_if_one_is_set(site: Site, headers: dict[str, str]) -> None:
    assert site.ask("/metrics")[0] == 401
    assert site.ask("/metrics", headers)[0] == 200
    assert site.ask("/metrics", {**headers, "Host": "any.example.com"})[0] == 200


def test_metrics_require_the_token_without_reports() -> None:
    with serving(pages(access=Access(Secret(TOKEN))), "127.0.0.1", 0, silent) as where:
        assert Site(*where).ask("/metrics")[0] == 401
        assert Site(*where).ask("/metrics", BEARER)[0] == 200


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([b"127.0.0.1"], b"200"),
        ([b"evil.example.com"], b"403"),
        ([], b"403"),
        ([b"127.0.0.1", b"evil.example.com"], b"403"),
        ([b"\xe9"], b"403"),
    ],
)
def test_metrics_without_a_token_require_a_known_host(hosts: list[bytes], status: bytes) -> None:
    lines = b"".join(b"Host: %s\r\n" % host for host in hosts)
    with serving(pages(access=OPEN), "127.0.0.1", 0, silent) as where:
        assert sent(Site(*where), b"GET /metrics HTTP/1.1\r\n" + lines + b"\r\n") == status
        assert sent(Site(*where), b"GET /healthz HTTP/1.1\r\n" + lines + b"\r\n") == b"200"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.7:8080",
        "[::1]",
        "[fd00::1]:8080",
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "keyvigil.example.com:8080",
        "nas",
    ],
)
def test_a_known_host(host: str) -> None:
    assert OPEN.knows(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.com",
        "127.0.0.1.evil.example.com",
        "localhost.evil.example.com",
        "evil@127.0.0.1",
        "127.0.0.1@evil.example.com",
        "2130706433",
        "::1",
        "[::1",
        "[127.0.0.1]",
        "127.0.0.1:x",
        "127.0.0.1 evil",
        "127.0.0.1/evil",
        "xkeyvigil.example.com",
        "\u0661.1.1.1",
    ],
)
def test_an_unknown_host(host: str) -> None:
    assert not OPEN.knows(host)


@settings(max_examples=50)
@given(st.text(), st.text(), st.text())
def test_no_request_raises(target: str, authorization: str, host: str) -> None:
    for access in (OPEN, Access(Secret(TOKEN))):
        site = pages(reports=Reports(Path("/nonexistent")), access=access)
        for asked in (
            Asked(target, authorization, host),
            Asked(f"/metrics{target}", f"Basic {authorization}", host),
            Asked("/metrics", f"Bearer {authorization}", host),
            Asked(f"/reports/{target}", f"Bearer {TOKEN}", host),
        ):
            site.get(asked).body.close()


@pytest.mark.parametrize("token", ["short", "ümlaut-of-some-length"])
def test_a_weak_token_is_refused_without_reports(token: str) -> None:
    with pytest.raises(UsageError):
        Access(Secret(token))
