"""What could keep an alert from coming for ever, and does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scanner.announcement import Sink
from tests.alerts.fake_slack.driving import CHANNELS, SCOPES, TOKEN
from tests.alerts.fake_slack.faults import (
    ApiError,
    ErrorAfter,
    ErrorBefore,
    RateLimited,
    ResetAfter,
)
from tests.alerts.nights import ROUTE, Killed, Nights
from tests.alerts.reading import shown
from tests.alerts.test_nights import keys, told

HOURS = timedelta(hours=2)


@pytest.mark.parametrize("code", ["edit_window_closed", "msg_blocks_too_long", "message_not_found"])
def test_an_old_message_that_cannot_be_changed_stops_nothing(nights: Nights, code: str) -> None:
    nights.night(keys(1, 2))
    nights.slack.fake.fail("chat.update", ApiError(code))
    assert nights.night(keys(2), after=HOURS) == []
    assert nights.left == 0
    assert told(nights.slack.fake.messages, 1, resolved=True) == 1


def test_where_the_days_message_is_gone_what_was_resolved_comes_to_the_channel(
    nights: Nights,
) -> None:
    nights.night(keys(1, 2))
    nights.slack.fake.fail("chat.postMessage", ApiError("thread_not_found"))
    assert nights.night(keys(2), after=HOURS) == []
    last = nights.slack.fake.messages[-1]
    assert last.thread_ts is None
    assert told((last,), 1, resolved=True) == 1


def test_only_what_was_announced_that_day_joins_its_message(nights: Nights) -> None:
    nights.night(keys(1))
    nights.night(keys(1, 2))
    nights.night(keys(2), after=HOURS)
    assert nights.slack.fake.messages[-1].thread_ts is None


def test_many_that_were_resolved_on_their_day_are_all_told_in_its_thread(nights: Nights) -> None:
    nights.night(keys(*range(20)))
    nights.night(keys(), after=HOURS)
    messages = nights.slack.fake.messages
    assert {message.thread_ts for message in messages[1:]} == {messages[0].ts}
    done = "".join(map(shown, messages[2:]))
    assert [done.count(f"<k{n}>") for n in range(20)] == [1] * 20


def test_a_channel_that_is_put_right_hears_what_waited(nights: Nights) -> None:
    nights.routes = (replace(ROUTE, to="#nowhere"),)
    assert len(nights.night(keys(1))) == 1
    nights.routes = (ROUTE,)
    assert nights.night(keys(1, 2)) == []
    assert [told(nights.slack.fake.messages, n) for n in (1, 2)] == [1, 1]


def test_an_app_that_may_never_look_tells_all_the_same(nights: Nights) -> None:
    nights.slack.fake.fail("chat.postMessage", ErrorBefore())
    nights.slack.fake.fail("conversations.history", *[ApiError("access_denied")] * 3)
    assert len(nights.night(keys(1))) == 1
    assert nights.again() == []
    assert told(nights.slack.fake.messages, 1) == 1


def test_a_look_that_fails_in_passing_is_taken_again_before_anything_is_sent_twice(
    nights: Nights,
) -> None:
    nights.slack.fake.fail("chat.postMessage", ErrorAfter())
    nights.slack.fake.fail("conversations.history", ErrorBefore(), ErrorBefore())
    assert len(nights.night(keys(1))) == 1
    assert len(nights.again()) == 1
    assert nights.again() == []
    assert told(nights.slack.fake.messages, 1) == 1


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("users.lookupByEmail", "users_not_found"),
        ("conversations.open", "user_disabled"),
        ("conversations.open", "cannot_dm_bot"),
        ("chat.postMessage", "messages_tab_disabled"),
    ],
)
def test_for_an_owner_whom_nobody_can_write_to_the_channel_hears(
    nights: Nights, method: str, code: str
) -> None:
    nights.routes = (replace(ROUTE, sink=Sink.SLACK_OWNERS),)
    nights.slack.fake.fail(method, ApiError(code))
    assert nights.night(keys(1)) == []
    (stood_in,) = nights.slack.fake.in_channel("C1")
    assert told((stood_in,), 1) == 1
    assert "No Slack account found for ada@example.com" in shown(stood_in)
    assert "yours" not in shown(stood_in)
    assert nights.night(keys(1, 2)) == []
    (own,) = nights.slack.fake.in_channel("D1")
    assert told((own,), 2) == 1
    assert "You own these API keys" in shown(own)


def test_a_message_whose_answer_was_lost_is_looked_for_where_it_went(nights: Nights) -> None:
    """The owner is unknown in Slack first, and known when it is tried again."""
    nights.routes = (replace(ROUTE, sink=Sink.SLACK_OWNERS),)
    nights.slack.fake.fail("users.lookupByEmail", ApiError("users_not_found"))
    with pytest.raises(Killed):
        nights.night(keys(1), killed_at=2)
    assert nights.again() == []
    assert told(nights.slack.fake.messages, 1) == 1


def test_a_report_that_could_not_be_attached_is_attached_by_the_next_scan(nights: Nights) -> None:
    nights.routes = (replace(ROUTE, attach=True),)
    nights.page = b"<!doctype html>"
    nights.slack.fake.tokens[TOKEN] = SCOPES - {"files:write"}
    assert len(nights.night(keys(1))) == 1
    assert len(nights.again()) == 1
    nights.slack.fake.tokens[TOKEN] = SCOPES
    assert nights.again() == []
    assert len(nights.slack.fake.files) == 1
    assert told(nights.slack.fake.messages, 1) == 1


def test_a_report_whose_answer_was_lost_is_not_attached_twice(nights: Nights) -> None:
    nights.routes = (replace(ROUTE, attach=True),)
    nights.page = b"<!doctype html>"
    nights.slack.fake.fail("files.completeUploadExternal", ResetAfter())
    assert len(nights.night(keys(1))) == 1
    assert nights.again() == []
    assert len(nights.slack.fake.files) == 1


def test_of_a_report_that_is_kept_no_more_the_thread_says_so(nights: Nights) -> None:
    nights.routes = (replace(ROUTE, attach=True),)
    assert nights.night(keys(1)) == []
    first, last = nights.slack.fake.messages
    assert last.thread_ts == first.ts
    assert last.text.endswith("is no longer stored.")


def test_a_route_that_is_gone_keeps_what_waits_and_comes_back_to_it(nights: Nights) -> None:
    nights.slack.fake.fail("chat.postMessage", ApiError("is_archived"))
    nights.night(keys(1))
    nights.routes = ()
    nights.night(keys(1))
    assert nights.left == 1
    nights.routes = (ROUTE,)
    nights.night(keys(1))
    assert told(nights.slack.fake.messages, 1) == 1
    assert nights.left == 0


def test_waiting_for_one_delivery_takes_nothing_from_the_next(nights: Nights) -> None:
    nights.routes = (ROUTE, replace(ROUTE, name="other", to="#inner"))
    waits = [RateLimited(60)] * 4
    nights.slack.fake.fail("chat.postMessage", *waits, ApiError("is_archived"), *waits)
    assert len(nights.night(keys(1))) == 1
    assert nights.left == 1
    assert sum(nights.slept) >= 480


def test_an_app_that_sees_only_public_channels_finds_its_message_there(nights: Nights) -> None:
    nights.slack.fake.tokens[TOKEN] = SCOPES - {"groups:read", "groups:history"}
    nights.slack.fake.fail("chat.postMessage", ErrorAfter())
    assert nights.night(keys(1)) == []
    assert told(nights.slack.fake.messages, 1) == 1
    assert CHANNELS[0].name == "alerts"
