"""The signed webhook, received over HTTP and read by the standard's own library."""

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from scanner.alerts.webhook import WebhookSink, alert_json, signing_key
from scanner.announcement import Route, Sink
from scanner.errors import AlertError, UsageError
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.alerts.making import (
    ID,
    Notes,
    Sleep,
    a_delivery,
    a_hostile_announcement,
    an_announcement,
    everything_in,
    no_page,
)
from tests.alerts.receiving import Answer, Frozen, Received, Receiver, trickling
from tests.conftest import golden
from tests.factories import NOW

ROUTE = Route(name="siem", sink=Sink.WEBHOOK, to="KEYVIGIL_WEBHOOK_URL")

HERE = Path(__file__).parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
TOKEN = "path-that-is-a-secret"


@pytest.fixture(autouse=True)
def _reader_lives_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Frozen)
    monkeypatch.setattr(Frozen, "at", NOW)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    with serving(receiver) as url:
        yield receiver, f"{url}/{TOKEN}"


@pytest.fixture
def receiver(served: tuple[Receiver, str]) -> Receiver:
    served[0].play()
    return served[0]


@pytest.fixture
def url(served: tuple[Receiver, str]) -> str:
    return served[1]


def sink(url: str, sleep: Sleep | None = None, secret: str = SECRET) -> WebhookSink:
    return WebhookSink(
        Secret(url), Secret(secret), ROUTE, clock=lambda: NOW, sleep=sleep or Sleep()
    )


def read(one: Received, secret: str = SECRET) -> Any:
    """What the standard's own reader makes of a request."""
    return Webhook(secret).verify(one.body, one.headers)


def refusal(sink: WebhookSink) -> tuple[AlertError, Notes]:
    notes = Notes()
    with pytest.raises(AlertError) as caught:
        sink(a_delivery(), notes, no_page)
    assert TOKEN not in everything_in(caught.value)
    assert SECRET not in everything_in(caught.value)
    return caught.value, notes


def test_the_standards_reader_takes_what_was_sent_once(receiver: Receiver, url: str) -> None:
    notes = Notes()
    for _ in range(2):
        sink(url)(a_delivery(), notes, lambda: b"a page that no webhook takes")
    (one,) = receiver.received
    assert read(one) == alert_json(a_delivery())
    assert (one.method, one.path) == ("POST", f"/v1/{TOKEN}")
    assert one.headers["content-type"] == "application/json"
    assert one.headers["webhook-id"] == ID
    assert notes.told == ["request sending", "request sent"]


def test_what_was_begun_by_a_run_that_died_is_sent_again(receiver: Receiver, url: str) -> None:
    notes = Notes()
    notes.begin("request")
    sink(url)(a_delivery(), notes, no_page)
    assert [one.headers["webhook-id"] for one in receiver.received] == [ID]


@pytest.mark.parametrize(
    "tampered",
    [
        lambda one: replace(one, body=one.body.replace(b"Acme", b"Evil")),
        lambda one: replace(one, headers={**one.headers, "webhook-id": "another"}),
        lambda one: replace(one, headers={**one.headers, "webhook-timestamp": "1782874801"}),
        lambda one: replace(one, headers={**one.headers, "webhook-signature": "v1,AAAA"}),
    ],
)
def test_the_reader_refuses_what_was_tampered_with(
    receiver: Receiver, url: str, tampered: Any
) -> None:
    sink(url)(a_delivery(), Notes(), no_page)
    (one,) = receiver.received
    with pytest.raises(WebhookVerificationError):
        read(tampered(one))
    with pytest.raises(WebhookVerificationError):
        read(one, OTHER)


def test_the_reader_refuses_what_is_sent_again_by_others_later(
    receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink(url)(a_delivery(), Notes(), no_page)
    monkeypatch.setattr(Frozen, "at", NOW + timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        read(receiver.received[0])


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 522])
def test_what_may_pass_is_tried_again_under_the_same_id_and_a_new_signature(
    receiver: Receiver, url: str, status: int
) -> None:
    receiver.play(Answer(status=status), Answer(status=status), Answer(status=204))
    moments = iter(NOW + timedelta(seconds=second) for second in range(9))
    sleep, notes = Sleep(), Notes()
    WebhookSink(Secret(url), Secret(SECRET), ROUTE, clock=lambda: next(moments), sleep=sleep)(
        a_delivery(), notes, no_page
    )
    assert [read(one)["id"] for one in receiver.received] == [ID] * 3
    assert {one.headers["webhook-id"] for one in receiver.received} == {ID}
    assert len({one.headers["webhook-signature"] for one in receiver.received}) == 3
    assert sleep.waits == [1.0, 4.0]
    assert notes.told == ["request sending", "request sent"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_what_will_not_pass_is_not_tried_again(receiver: Receiver, url: str, status: int) -> None:
    receiver.play(Answer(status=status, body=f"no /v1/{TOKEN} here".encode()))
    error, notes = refusal(sink(url))
    assert len(receiver.received) == 1
    assert str(error).endswith(f" {status}.")
    assert "KEYVIGIL_WEBHOOK_URL" in str(error.help)
    assert notes.told == ["request sending"]


def test_it_is_given_up_after_four_tries_and_the_next_run_sends_it(
    receiver: Receiver, url: str
) -> None:
    receiver.play(*[Answer(status=503)] * 4)
    sleep = Sleep()
    error, notes = refusal(sink(url, sleep))
    assert str(error).endswith(" 503.")
    assert sleep.waits == [1.0, 4.0, 16.0]
    sink(url)(a_delivery(), notes, no_page)
    assert [one.headers["webhook-id"] for one in receiver.received] == [ID] * 5
    assert notes.told == ["request sending", "request sending", "request sent"]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [("7", 7.0), ("0", 1.0), ("3600", 60.0), ("9" * 400, 60.0), ("-5", 1.0), ("nan", 1.0)],
)
def test_retry_after_is_honoured_up_to_a_minute(
    receiver: Receiver, url: str, asked: str, waits: float
) -> None:
    receiver.play(Answer(status=429, headers={"retry-after": asked}))
    sleep = Sleep()
    sink(url, sleep)(a_delivery(), Notes(), no_page)
    assert sleep.waits == [waits]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_never_followed(
    receiver: Receiver, url: str, status: int
) -> None:
    receiver.play(Answer(status=status, headers={"location": f"{url}/elsewhere"}))
    error, _ = refusal(sink(url))
    assert len(receiver.received) == 1
    assert f"redirect ({status})" in str(error)


def test_what_was_taken_before_the_connection_broke_comes_again_under_the_same_id(
    receiver: Receiver, url: str
) -> None:
    receiver.play(Answer(resets=True))
    sink(url)(a_delivery(), Notes(), no_page)
    assert [one.headers["webhook-id"] for one in receiver.received] == [ID, ID]


def test_an_answer_that_cannot_be_read_was_still_a_yes(receiver: Receiver, url: str) -> None:
    receiver.play(Answer(headers={"content-encoding": "gzip"}, body=b"no gzip"))
    sink(url)(a_delivery(), Notes(), no_page)
    assert len(receiver.received) == 1


def test_nobody_is_there() -> None:
    sleep = Sleep()
    error, notes = refusal(sink(f"http://127.0.0.1:9/{TOKEN}", sleep))
    assert "Connection refused" in str(error)
    assert sleep.waits == [1.0, 4.0, 16.0]
    assert notes.told == ["request sending"]


def test_a_certificate_that_nobody_vouches_for_is_told_and_nothing(certificate: Path) -> None:
    taken: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.path)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            error, _ = refusal(sink(f"https://localhost:{server.server_port}/{TOKEN}"))
        finally:
            server.shutdown()
            thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert taken == []


def test_settings_of_the_environment_that_cannot_be_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    error, _ = refusal(sink(f"https://localhost:9/{TOKEN}"))
    assert "check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE" in str(error)


def test_the_json_is_what_the_version_promises() -> None:
    body = json.dumps(alert_json(a_delivery()), indent=2, ensure_ascii=False) + "\n"
    golden(HERE / "golden" / "alert.json", body)


def test_what_strangers_wrote_arrives_as_text(receiver: Receiver, url: str) -> None:
    said = a_hostile_announcement()
    sink(url)(a_delivery(said), Notes(), no_page)
    told = read(receiver.received[0])
    assert [one["key"]["name"] for one in told["findings"]] == [
        item.key_name.replace("\ud800", "?") for item in said.items
    ]
    assert told["organization"] == said.organization.replace("\ud800", "?")


def test_what_is_left_out_is_counted(receiver: Receiver, url: str) -> None:
    said = an_announcement()
    sink(url)(a_delivery(replace(said, items=said.items[:2])), Notes(), no_page)
    told = read(receiver.received[0])
    assert (len(told["findings"]), told["omitted"]) == (2, sum(said.counts.values()) - 2)


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        (None, "is not set"),
        ("", "is not set"),
        (SECRET.removeprefix("whsec_"), "is not a valid signing secret"),
        ("whsec_c2hvcnQ=", "is not a valid signing secret"),
        ("whsec_not base64 at all, but quite long enough", "is not a valid signing secret"),
        (f"whsec_{'ä' * 40}", "is not a valid signing secret"),
        (f"{SECRET}*", "is not a valid signing secret"),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_with_the_way_to_one(
    secret: str | None, what: str
) -> None:
    with pytest.raises(UsageError) as caught:
        signing_key(None if secret is None else Secret(secret))
    assert str(caught.value).startswith(f"KEYVIGIL_WEBHOOK_SECRET {what}")
    assert "\n" not in str(caught.value)
    assert "secrets.token_bytes(32)" in str(caught.value.help)
    assert not secret or secret not in everything_in(caught.value)


@given(st.binary(min_size=24, max_size=64))
def test_any_secret_of_the_standard_signs(key: bytes) -> None:
    assert signing_key(Secret(f"whsec_{base64.b64encode(key).decode()}")) == key


def test_an_answer_that_comes_drop_by_drop_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.alerts.webhook._TIMEOUT", 0.5)
    with trickling() as slow, pytest.raises(AlertError, match=r"within 0.5 seconds"):
        sink(slow)(a_delivery(an_announcement()), Notes(), no_page)
