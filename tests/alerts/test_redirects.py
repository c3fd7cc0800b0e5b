"""No sink follows a redirect, takes a page for a confirmation, or reads without end."""

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from scanner.alerts import email, slack_transport, webhook
from scanner.alerts.ping import Ping
from scanner.alerts.slack import SlackSink
from scanner.alerts.slack_api import SlackApi, SlackRefused
from scanner.alerts.slack_transport import API, SlackWebClient, is_upload_address
from scanner.alerts.slack_webhook import SlackWebhookSink
from scanner.alerts.webhook import WebhookSink
from scanner.alerts.within import OverdueError
from scanner.announcement import Route, Sink
from scanner.errors import AlertError, AlertUncertain
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.alerts.mailing import DELIVERY, a_sink
from tests.alerts.making import Notes, Sleep, a_delivery, everything_in, no_page
from tests.alerts.receiving import BODY, GREETING, HEADERS, Answer, Receiver, trickling
from tests.cli.tunnels import proxy
from tests.factories import NOW

Send = Callable[[str], object]
REDIRECTS = (301, 302, 303, 307, 308)
OK = json.dumps({"ok": True, "channel": "C1", "ts": "1.1"}).encode()
PAGE = b"<!doctype html><title>Log in</title>"
SIGNS = Secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")


def api_at(url: str) -> SlackApi:
    return SlackApi(
        Secret("xoxb-1-the-token"), clock=lambda: 0.0, sleep=Sleep(), base_url=f"{url}/api/"
    )


def by_slack(url: str) -> object:
    route = Route(name="r", sink=Sink.SLACK, to="C1")
    sink = SlackSink(route, api_at(url), clock=lambda: NOW, sleep=Sleep(), report="")
    return sink(a_delivery(sink=Sink.SLACK, target="C1"), Notes(), no_page)


def by_slack_webhook(url: str) -> object:
    route = Route(name="r", sink=Sink.SLACK_WEBHOOK, to="X")
    sink = SlackWebhookSink(Secret(url), route, report="", sleep=Sleep())
    return sink(a_delivery(sink=route.sink, target="X"), Notes(), no_page)


def by_webhook(url: str) -> object:
    route = Route(name="r", sink=Sink.WEBHOOK, to="X")
    sink = WebhookSink(Secret(url), SIGNS, route, clock=lambda: NOW, sleep=Sleep())
    return sink(a_delivery(sink=route.sink, target="X"), Notes(), no_page)


def by_ping(url: str) -> None:
    Ping(Secret(url), sleep=Sleep()).success()


SENDS = (by_slack, by_slack_webhook, by_webhook, by_ping)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Receiver, str, Receiver, str]]:
    ours, foreign = Receiver(), Receiver()
    with serving(ours) as url, serving(foreign) as elsewhere:
        yield ours, url, foreign, elsewhere


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_another_host_receives_nothing(
    servers: tuple[Receiver, str, Receiver, str], send: Send, status: int
) -> None:
    ours, url, foreign, elsewhere = servers
    foreign.play(*[Answer(body=OK)] * 9)
    ours.play(*[Answer(status=status, headers={"location": elsewhere}, body=OK)] * 9)
    with pytest.raises(AlertError) as caught:
        send(url)
    assert foreign.received == []
    assert len(ours.received) == 1
    assert not isinstance(caught.value, AlertUncertain)


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_to_the_same_host_is_no_delivery(
    servers: tuple[Receiver, str, Receiver, str], send: Send, status: int
) -> None:
    ours, url, _, _ = servers
    ours.play(Answer(status=status, headers={"location": "/login"}), *[Answer(body=b"ok")] * 9)
    with pytest.raises(AlertError):
        send(url)
    assert len(ours.received) == 1


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        (PAGE, "identity"),
        (b"\xef\xbb\xbf\n <html>", "identity"),
        (b"<!-- ok --><html>", "identity"),
        (b" \r\n" * 1_000 + b"<html>", "identity"),
        ("<html>".encode("utf-16"), "identity"),
        (gzip.compress(b"<html>", mtime=0), "gzip"),
    ],
)
def test_a_login_page_is_no_delivery(
    servers: tuple[Receiver, str, Receiver, str], send: Send, page: bytes, encoding: str
) -> None:
    ours, url, _, _ = servers
    headers = {"content-type": "text/html; charset=utf-8", "content-encoding": encoding}
    ours.play(*[Answer(headers=headers, body=page)] * 9)
    with pytest.raises(AlertError):
        send(url)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"ok"', b"{}", b'{"ok": "true"}', b'{"ok": true}', b"[" * 100_000]
)
def test_only_slacks_own_confirmation_is_a_delivery(
    servers: tuple[Receiver, str, Receiver, str], body: bytes
) -> None:
    ours, url, _, _ = servers
    ours.play(*[Answer(body=body)] * 9)
    with pytest.raises(AlertUncertain):
        by_slack(url)


@pytest.mark.parametrize("send", [by_slack, by_slack_webhook])
@pytest.mark.parametrize("status", [200, 400])
def test_a_response_that_is_too_large_is_no_delivery(
    servers: tuple[Receiver, str, Receiver, str],
    monkeypatch: pytest.MonkeyPatch,
    send: Send,
    status: int,
) -> None:
    monkeypatch.setattr(slack_transport, "MAX_RESPONSE", 1_000)
    ours, url, _, _ = servers
    ours.play(*[Answer(status=status, body=OK[:-1] + b" " * 2_000 + b"}")] * 9)
    with pytest.raises(AlertUncertain):
        send(url)


def test_an_endless_listing_of_slack_ends(
    servers: tuple[Receiver, str, Receiver, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.alerts.slack_api._MAX_PAGES", 3)
    ours, url, _, _ = servers
    page = {"ok": True, "messages": [], "channels": [], "response_metadata": {"next_cursor": "x"}}
    ours.play(*[Answer(body=json.dumps(page).encode())] * 9)
    with pytest.raises(SlackRefused):
        api_at(url).history("C1", 0.0)
    assert len(ours.received) == 3
    with pytest.raises(SlackRefused):
        api_at(url).channel("#alerts")
    assert len(ours.received) == 9


def test_a_slow_listing_of_slack_ends(servers: tuple[Receiver, str, Receiver, str]) -> None:
    ours, url, _, _ = servers
    page = {"ok": True, "messages": [], "response_metadata": {"next_cursor": "x"}}
    ours.play(*[Answer(body=json.dumps(page).encode())] * 9)
    clock = count(step=250.0)
    api = SlackApi(
        Secret("xoxb-1"), clock=lambda: next(clock), sleep=Sleep(), base_url=f"{url}/api/"
    )
    with pytest.raises(SlackRefused, match="600 seconds"):
        api.history("C1", 0.0)
    assert len(ours.received) == 3


@pytest.mark.parametrize("send", [by_slack, by_slack_webhook])
@pytest.mark.parametrize("pieces", [HEADERS, BODY])
def test_a_response_that_comes_byte_by_byte_ends_at_the_limit_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, send: Send, pieces: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(slack_transport, "WHOLE", 0.5)
    with (
        trickling(*pieces) as slow,
        pytest.raises(AlertUncertain, match=r"no complete response within 0.5 seconds"),
    ):
        send(slow)


@pytest.mark.parametrize("pieces", [HEADERS, BODY])
def test_an_upload_whose_response_comes_byte_by_byte_ends_at_its_limit(
    monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(slack_transport, "WHOLE_UPLOAD", 0.5)
    with trickling(*pieces) as slow:
        client = SlackWebClient(token="xoxb-1", base_url=f"{slow}/api/", timeout=30)
        with pytest.raises(OverdueError):
            client._upload_file(url=f"{slow}/upload", data=b"page")  # noqa: SLF001 - the SDK's


@pytest.mark.parametrize("pieces", [HEADERS, BODY])
def test_a_ping_whose_response_comes_byte_by_byte_ends_at_its_limit(
    pieces: tuple[bytes, bytes],
) -> None:
    with trickling(*pieces) as slow, pytest.raises(AlertError, match=r"within 0.5 seconds"):
        Ping(Secret(slow), sleep=Sleep(), seconds=0.5).fail("why", is_hurried=True)


@pytest.mark.parametrize("pieces", [HEADERS, BODY])
def test_a_webhook_whose_response_comes_byte_by_byte_ends_at_its_limit(
    monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(webhook, "_TIMEOUT", 0.5)
    with trickling(*pieces) as slow, pytest.raises(AlertError, match=r"within 0.5 seconds"):
        by_webhook(slow)


def test_a_mail_server_that_greets_line_by_line_ends_at_the_limit_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email, "_WHOLE", 0.5)
    with (
        trickling(*GREETING) as slow,
        pytest.raises(AlertUncertain, match=r"no complete response within 0.5 seconds"),
    ):
        a_sink(int(slow.rpartition(":")[2]))(DELIVERY, Notes(), no_page)


@pytest.mark.parametrize("send", SENDS)
def test_what_stays_on_this_machine_goes_through_no_proxy(
    servers: tuple[Receiver, str, Receiver, str], monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    ours, url, foreign, elsewhere = servers
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, elsewhere)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    foreign.play()
    ours.play(*[Answer(body=b"ok" if send is by_slack_webhook else OK)] * 9)
    send(url)
    assert len(ours.received) == 1
    assert foreign.received == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("send", SENDS)
def test_what_leaves_this_machine_goes_through_the_proxy_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, send: Send, variable: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with proxy() as (place, asked):
        monkeypatch.setenv(variable, f"http://me:hunter2@{place}")
        with pytest.raises(AlertError) as caught:
            send("https://127.0.0.1:9")
    assert asked[0].startswith("CONNECT 127.0.0.1:9 ")
    assert "proxy-authorization: basic " in asked[0].lower()
    assert "hunter2" not in everything_in(caught.value)


def test_a_file_goes_to_slacks_upload_host_only(
    servers: tuple[Receiver, str, Receiver, str],
) -> None:
    ours, url, foreign, elsewhere = servers
    foreign.play()
    told = {"ok": True, "file_id": "F1", "upload_url": f"{elsewhere}/upload"}
    ours.play(Answer(body=json.dumps(told).encode()), *[Answer(body=OK)] * 9)
    with pytest.raises(SlackRefused):
        api_at(url).upload("C1", "1.1", "report.html", b"secret")
    assert foreign.received == []
    assert len(ours.received) == 1


def test_an_upload_that_is_redirected_is_not_followed(
    servers: tuple[Receiver, str, Receiver, str],
) -> None:
    ours, url, foreign, elsewhere = servers
    foreign.play()
    told = {"ok": True, "file_id": "F1", "upload_url": f"{url}/upload"}
    ours.play(
        Answer(body=json.dumps(told).encode()),
        Answer(status=307, headers={"location": elsewhere}),
    )
    with pytest.raises(SlackRefused):
        api_at(url).upload("C1", "1.1", "report.html", b"secret")
    assert foreign.received == []
    assert len(ours.received) == 2


@pytest.mark.parametrize(
    ("url", "base", "is_allowed"),
    [
        ("https://files.slack.com/upload/v1/x", API, True),
        ("https://FILES.slack.com/upload/v1/x", API, True),
        ("http://files.slack.com/upload/v1/x", API, False),
        ("https://files.slack.com.example.com/x", API, False),
        ("https://files.slack.com@example.com/x", API, False),
        ("https://example.com\\@files.slack.com/x", API, False),
        ("https://files.slack.com:8443/x", API, False),
        ("https://slack.com/x", API, False),
        ("file:///etc/passwd", API, False),
        ("https://[/x", API, False),
        ("", API, False),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80/api/", True),
        ("http://127.0.0.1:81/x", "http://127.0.0.1:80/api/", False),
        ("https://files.slack-gov.com/x", "https://slack-gov.com/api/", True),
    ],
)
def test_the_upload_host(url: str, base: str, is_allowed: bool) -> None:  # noqa: FBT001
    assert is_upload_address(url, base) == is_allowed
