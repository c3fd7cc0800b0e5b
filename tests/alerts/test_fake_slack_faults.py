"""The fake Slack's pace, its faults, and whom a message would notify."""

from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import ConnectionErrorRetryHandler, FixedValueRetryIntervalCalculator

from tests.alerts.fake_slack.driving import Driven, refused, stage
from tests.alerts.fake_slack.faults import (
    ApiError,
    ApiErrorAfter,
    ErrorAfter,
    ErrorBefore,
    Fault,
    RateLimited,
    ResetAfter,
    SilentAfter,
    TruncatedAfter,
)
from tests.alerts.fake_slack.workspace import Pace

Play = Callable[..., Driven]


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    with stage() as play:
        yield play


@pytest.fixture
def slack(play: Play) -> Driven:
    return play()


def test_one_message_a_second_and_channel(play: Play) -> None:
    slack = play(pace=Pace())
    slack.post()
    slack.post("G1")
    slack.clock.at += 0.9
    with pytest.raises(SlackApiError) as caught:
        slack.post()
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    assert slack.webhook().send(text="hello").status_code == 429
    slack.clock.at += 0.1
    slack.post()
    assert len(slack.fake.in_channel("C1")) == 2


def test_a_burst_may_be_allowed(play: Play) -> None:
    slack = play(pace=Pace(burst=3))
    for _ in range(3):
        slack.post()
    with refused("ratelimited"):
        slack.post()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (RateLimited(7), 429),
        (ErrorBefore(), 500),
        (ErrorBefore(503), 503),
        (ApiError("internal_error"), 200),
    ],
)
def test_a_fault_before_leaves_nothing_behind(slack: Driven, fault: Fault, status: int) -> None:
    slack.fake.fail("chat.postMessage", fault)
    with pytest.raises(SlackApiError) as caught:
        slack.post()
    assert caught.value.response.status_code == status
    assert slack.fake.messages == ()
    slack.post()
    assert [call.outcome for call in slack.fake.calls] == [type(fault).__name__, "ok"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ErrorAfter(), SlackApiError),
        (ApiErrorAfter("fatal_error"), SlackApiError),
        (ResetAfter(), ConnectionError),
        (TruncatedAfter(), IncompleteRead),
        (SilentAfter(), TimeoutError),
    ],
)
def test_a_fault_after_leaves_the_message(
    slack: Driven, fault: Fault, error: type[Exception]
) -> None:
    slack.fake.fail("chat.postMessage", fault)
    with pytest.raises(error):
        slack.client(timeout=0.2).chat_postMessage(channel="C1", text="hello")
    assert [message.text for message in slack.fake.messages] == ["hello"]


def test_faults_come_in_order_and_to_their_method_only(slack: Driven) -> None:
    slack.fake.fail("chat.postMessage", RateLimited(3), ApiError("fatal_error", hint="later"))
    slack.client().auth_test()
    with pytest.raises(SlackApiError) as caught:
        slack.post()
    assert caught.value.response.headers["Retry-After"] == "3"
    with refused("fatal_error", hint="later"):
        slack.post()
    slack.post()


def test_a_webhook_and_an_upload_fail_too(slack: Driven) -> None:
    slack.fake.fail("webhook", ErrorAfter())
    assert slack.webhook().send(text="hello").status_code == 500
    assert len(slack.fake.messages) == 1
    slack.fake.fail("upload", ResetAfter())
    with pytest.raises(ConnectionError):
        slack.client().files_upload_v2(content="a", filename="a", channel="C1")
    assert slack.fake.files == ()


def test_the_sdks_own_retry_after_a_reset_posts_twice(slack: Driven) -> None:
    at_once = FixedValueRetryIntervalCalculator(fixed_internal=0)
    handlers = [ConnectionErrorRetryHandler(interval_calculator=at_once)]
    slack.fake.fail("chat.postMessage", ResetAfter())
    slack.client(retry_handlers=handlers).chat_postMessage(channel="C1", text="hello")
    assert len(slack.fake.messages) == 2


def rich(element: Any) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": [element]}
    return {"blocks": [{"type": "rich_text", "elements": [section]}]}


def mrkdwn(text: str, **more: Any) -> dict[str, Any]:
    return {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text, **more}}]}


@pytest.mark.parametrize(
    ("said", "pinged"),
    [
        ({"text": "<!channel> <!here|@here> <!everyone>"}, ["channel", "here", "everyone"]),
        ({"text": "<@U1> <@W2|bob> <!subteam^S1|@ops>"}, ["U1", "W2", "S1"]),
        ({"text": "<!channel>", "mrkdwn": False}, []),
        ({"text": "&lt;!channel&gt; @channel @ada <#C1> a@here.example"}, []),
        ({"text": "@channel @ada", "link_names": True}, ["channel", "U1"]),
        ({"text": "@everyone", "parse": "full"}, ["everyone"]),
        (mrkdwn("<!here>"), ["here"]),
        (mrkdwn("@here", verbatim=True), []),
        (mrkdwn("@here @ada"), ["here"]),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "<!here>"}}]}, []),
        (
            {"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "<@U2>"}]}]},
            ["U2"],
        ),
        (rich({"type": "text", "text": "<!channel> @channel"}), []),
        (rich({"type": "broadcast", "range": "channel"}), ["channel"]),
        (rich({"type": "user", "user_id": "U2"}), ["U2"]),
        (rich({"type": "usergroup", "usergroup_id": "S2"}), ["S2"]),
    ],
)
def test_pings_are_those_that_slack_would_send(
    slack: Driven, said: dict[str, Any], pinged: list[str]
) -> None:
    slack.post(**said)
    assert [ping.who for ping in slack.fake.pings] == pinged


def test_links_unfurl_unless_told_not_to(slack: Driven) -> None:
    quiet: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
    slack.post(text="https://a.example/", **quiet)
    slack.post(text="no link")
    slack.post(text="a", **rich({"type": "link", "url": "https://a.example/"}))
    slack.post(text="<https://a.example/|a>", unfurl_links=False)
    assert slack.fake.unfurls == slack.fake.messages[2:]
