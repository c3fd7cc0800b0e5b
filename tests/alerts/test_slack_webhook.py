"""Slack's incoming webhook: one message, and no second look at what became of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from scanner.alerts.slack_webhook import SlackWebhookSink
from scanner.announcement import Route, Sink
from scanner.errors import AlertError, AlertUncertain
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.alerts.fake_slack.driving import Driven, stage
from tests.alerts.fake_slack.faults import (
    ErrorAfter,
    ErrorBefore,
    Fault,
    RateLimited,
    ResetAfter,
    TruncatedAfter,
)
from tests.alerts.making import (
    Notes,
    Sleep,
    a_delivery,
    a_hostile_announcement,
    an_announcement,
    everything_in,
    no_page,
)
from tests.alerts.receiving import Answer, Receiver

Play = Callable[..., Driven]
ROUTE = Route(name="the-route", sink=Sink.SLACK_WEBHOOK, to="KEYVIGIL_SLACK_WEBHOOK")
DELIVERY = a_delivery(sink=ROUTE.sink, target=ROUTE.to)
PATH = "/services/T1/B1/x"


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    with stage() as play:
        yield play


@pytest.fixture
def slack(play: Play) -> Driven:
    return play()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    with serving(receiver) as url:
        yield receiver, url


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What goes wrong is raised, and the SDK does not write it to stderr besides."""
    caplog.set_level("INFO", "slack_sdk")
    yield
    assert caplog.records == []


def sink(url: str, sleep: Sleep | None = None, report: str = "") -> SlackWebhookSink:
    return SlackWebhookSink(Secret(url), ROUTE, report=report, sleep=sleep or Sleep())


def refusal(url: str, notes: Notes | None = None, sleep: Sleep | None = None) -> AlertError:
    notes = notes or Notes()
    with pytest.raises(AlertError) as caught:
        sink(url, sleep)(DELIVERY, notes, no_page)
    assert PATH not in everything_in(caught.value)
    assert notes.told[-1:] == ["message sending"]
    return caught.value


def test_it_posts_once_with_blocks_and_no_unfurling(slack: Driven) -> None:
    notes = Notes()
    for _ in range(2):
        sink(slack.address.webhook_url)(DELIVERY, notes, lambda: b"a page that no webhook takes")
    (message,) = slack.fake.messages
    assert message.text.startswith("Acme: 5 new, 2 resolved - incomplete scan. 6 open violations")
    assert message.blocks[0]["text"]["text"] == "Acme: 5 new, 2 resolved - incomplete scan"
    assert slack.fake.unfurls == ()
    assert notes.told == ["message sending", "message sent"]


def test_the_link_leads_to_the_scans_own_page(slack: Driven) -> None:
    report = "https://example.com/{date}/{scan_id}.html?x"
    sink(slack.address.webhook_url, report=report)(DELIVERY, Notes(), no_page)
    page = "https://example.com/2026-07-01/20260701T030000Z-0a1b2c3d.html?x"
    assert f'"url": "{page}"' in json.dumps(slack.fake.messages[0].blocks)


def test_what_strangers_wrote_calls_nobody(slack: Driven) -> None:
    delivery = a_delivery(a_hostile_announcement(), sink=ROUTE.sink, target=ROUTE.to)
    sink(slack.address.webhook_url)(delivery, Notes(), no_page)
    assert len(slack.fake.messages) == 1
    assert slack.fake.pings == ()


def test_a_configured_group_is_called_for_critical_news(slack: Driven) -> None:
    route = replace(ROUTE, mention="S0123456789")
    url = Secret(slack.address.webhook_url)
    SlackWebhookSink(url, route, report="", sleep=Sleep())(DELIVERY, Notes(), no_page)
    assert [ping.who for ping in slack.fake.pings] == ["S0123456789"]


def test_slack_is_waited_for_as_long_as_it_says(slack: Driven) -> None:
    slack.fake.fail("webhook", RateLimited(7), RateLimited(30))
    sleep, notes = Sleep(), Notes()
    sink(slack.address.webhook_url, sleep)(DELIVERY, notes, no_page)
    assert sleep.waits == [7.0, 30.0]
    assert len(slack.fake.messages) == 1
    assert notes.told == ["message sending", "message sent"]


def test_slack_is_waited_for_no_longer_than_five_minutes(slack: Driven) -> None:
    slack.fake.fail("webhook", *[RateLimited(100)] * 4)
    sleep = Sleep()
    error = refusal(slack.address.webhook_url, sleep=sleep)
    assert "300 seconds" in str(error)
    assert error.help
    assert sleep.waits == [100.0, 100.0, 100.0]
    assert slack.fake.messages == ()


@pytest.mark.parametrize("code", [b"invalid_blocks", b"msg_blocks_too_long"])
def test_where_blocks_are_refused_the_text_says_all(
    served: tuple[Receiver, str], code: bytes
) -> None:
    receiver, url = served
    receiver.play(Answer(status=400, body=code), Answer(body=b"ok"))
    notes = Notes()
    sink(url)(DELIVERY, notes, no_page)
    first, second = (json.loads(one.body) for one in receiver.received)
    assert "blocks" in first
    assert "blocks" not in second
    for item in an_announcement().items:
        assert item.title in second["text"]
    assert notes.told == ["message sending", "message sent"]


@pytest.mark.parametrize("fault", [ErrorAfter(), ErrorAfter(503), ResetAfter(), TruncatedAfter()])
def test_where_the_answer_is_lost_the_next_run_sends_it_again(slack: Driven, fault: Fault) -> None:
    slack.fake.fail("webhook", fault)
    notes = Notes()
    error = refusal(slack.address.webhook_url, notes)
    assert isinstance(error, AlertUncertain)
    sink(slack.address.webhook_url)(DELIVERY, notes, no_page)
    assert len(slack.fake.messages) == 2
    assert notes.told == ["message sending", "message sending", "message sent"]


def test_an_error_is_not_tried_again_in_the_same_run(slack: Driven) -> None:
    slack.fake.fail("webhook", ErrorBefore())
    assert isinstance(refusal(slack.address.webhook_url), AlertUncertain)
    assert [call.outcome for call in slack.fake.calls] == ["ErrorBefore"]


def test_a_webhook_that_is_gone_is_one_line_with_the_way_on(slack: Driven) -> None:
    error = refusal(f"{slack.address.webhook_url}-gone")
    assert str(error).endswith(": no_service (404).")
    assert "KEYVIGIL_SLACK_WEBHOOK" in str(error.help)
    assert "\n" not in f"{error}{error.help}"


@pytest.mark.parametrize(
    ("is_archived", "said", "mend"),
    [
        (True, "channel_is_archived (410).", "the channel is archived"),
        (False, "channel_not_found (404).", "the channel was deleted"),
    ],
)
def test_a_channel_that_takes_nothing_is_named(
    slack: Driven, *, is_archived: bool, said: str, mend: str
) -> None:
    channel = slack.fake.channels.pop("C1")
    if is_archived:
        slack.fake.channels["C1"] = replace(channel, is_archived=True)
    error = refusal(slack.address.webhook_url)
    assert str(error).endswith(f": {said}")
    assert mend in str(error.help)
    assert "KEYVIGIL_SLACK_WEBHOOK" in str(error.help)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Answer(status=403, body=b"action_prohibited"),
            "Slack rejected the request: action_prohibited (403).",
        ),
        (Answer(status=404, body=f"no {PATH}".encode()), "Slack rejected the request: status 404."),
        (Answer(status=404, body=b"<html>\xff"), "Slack rejected the request: status 404."),
        (Answer(status=200, body=b"<html>Please log in"), None),
        (Answer(status=200, headers={"content-type": "text/html; charset=none"}), None),
    ],
)
def test_what_is_not_slacks_own_answer_is_no_delivery(
    served: tuple[Receiver, str], answer: Answer, said: str | None
) -> None:
    receiver, url = served
    receiver.play(answer)
    error = refusal(f"{url}{PATH}")
    assert isinstance(error, AlertUncertain) == (said is None)
    assert said in (None, str(error))
    assert error.help


@pytest.mark.parametrize("asked", ["nan", "inf", "-1", "soon", ""])
def test_a_wait_that_is_none_is_a_second(served: tuple[Receiver, str], asked: str) -> None:
    receiver, url = served
    receiver.play(Answer(status=429, headers={"retry-after": asked}), Answer(body=b"ok"))
    sleep = Sleep()
    sink(url, sleep)(DELIVERY, Notes(), no_page)
    assert sleep.waits == [1.0]


def test_nobody_is_there() -> None:
    error = refusal(f"http://127.0.0.1:9{PATH}")
    assert str(error).startswith("Slack cannot be reached: ")
    assert "Connection refused" in str(error)
    assert "HTTPS_PROXY" in str(error.help)
    assert not isinstance(error, AlertUncertain)
