"""Pings, over HTTP, to a switch that takes them or not."""

from collections.abc import Iterator

import pytest

from scanner.alert_settings import read_ping_url
from scanner.alerts.ping import Ping
from scanner.errors import AlertError, UsageError
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.alerts.making import Sleep
from tests.alerts.receiving import Answer, Received, Receiver, trickling

TOKEN = "token-that-is-a-secret"


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


def asked(one: Received) -> tuple[str, str, str, bytes]:
    return one.method, one.path, one.query, one.body


@pytest.mark.parametrize("end", ["", "/"])
def test_each_ping_has_its_address(receiver: Receiver, url: str, end: str) -> None:
    ping = Ping(Secret(url + end), sleep=Sleep())
    ping.start()
    ping.success()
    ping.fail("exit 3: é")
    path = f"/v1/{TOKEN}"
    assert [asked(one) for one in receiver.received] == [
        ("POST", f"{path}/start", "", b""),
        ("POST", path, "", b""),
        ("POST", f"{path}/fail", "", "exit 3: é".encode()),
    ]


def test_what_follows_a_question_mark_stays_at_the_end(receiver: Receiver, url: str) -> None:
    Ping(Secret(f"{url}?create=1&rid=2#x"), sleep=Sleep()).start()
    assert asked(receiver.received[0])[1:3] == (f"/v1/{TOKEN}/start", "create=1&rid=2")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_three_times(receiver: Receiver, url: str, status: int) -> None:
    sleep = Sleep()
    receiver.play(Answer(status=status), Answer(status=status))
    Ping(Secret(url), sleep=sleep).success()
    assert len(receiver.received) == 3
    assert sleep.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("answers", "tries", "told"),
    [
        ([Answer(status=503)] * 3, 3, "503"),
        ([Answer(resets=True)] * 3, 3, "RemoteProtocolError"),
        ([Answer(status=404)], 1, "404"),
        ([Answer(status=301, headers={"location": "/x"})], 1, "redirect .301."),
        ([Answer(body=b"OK (not found)")], 1, "does not exist"),
        ([Answer(body=b"OK (rate limited)\n")], 1, "too many pings"),
    ],
)
def test_what_is_not_taken_is_said_without_the_address(
    receiver: Receiver, url: str, answers: list[Answer], tries: int, told: str
) -> None:
    receiver.play(*answers)
    with pytest.raises(AlertError, match=told) as caught:
        Ping(Secret(url), sleep=Sleep()).start()
    assert "ping of the start" in str(caught.value)
    assert len(receiver.received) == tries
    assert TOKEN not in f"{caught.value} {caught.value.help}"


def test_nobody_there_is_said_without_the_address() -> None:
    with pytest.raises(AlertError, match=r"Connection refused|attempts failed") as caught:
        Ping(Secret(f"http://127.0.0.1:9/{TOKEN}"), sleep=Sleep()).success()
    assert TOKEN not in str(caught.value)


def test_the_whole_of_a_long_answer_is_not_read(receiver: Receiver, url: str) -> None:
    receiver.play(Answer(body=b"OK" * 5_000_000))
    Ping(Secret(url), sleep=Sleep()).success()
    assert len(receiver.received) == 1


def test_an_answer_that_comes_drop_by_drop_is_none() -> None:
    with trickling() as slow, pytest.raises(AlertError, match=r"within 0.5 seconds"):
        Ping(Secret(slow), sleep=Sleep(), seconds=0.5).start()


def test_who_ends_in_a_hurry_tries_once(receiver: Receiver, url: str) -> None:
    receiver.play(Answer(status=503))
    with pytest.raises(AlertError, match="503"):
        Ping(Secret(url), sleep=Sleep()).fail("Stopped.", is_hurried=True)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("text", ["http://example.com/x", "ftp://127.0.0.1/x", "https://", "x y"])
def test_an_address_without_tls_is_rejected(text: str) -> None:
    with pytest.raises(UsageError, match=r"^KEYVIGIL_PING_URL is .*https"):
        read_ping_url({"KEYVIGIL_PING_URL": text})


@pytest.mark.parametrize("text", ["https://hc-ping.com/x", "http://localhost:1/x"])
def test_an_address_over_tls_or_on_this_machine_is_taken(text: str) -> None:
    assert read_ping_url({"KEYVIGIL_PING_URL": f" {text} "}) == Secret(text)


def test_without_an_address_nothing_is_sent() -> None:
    assert read_ping_url({"KEYVIGIL_PING_URL": " "}) is None
