"""Night after night, whatever fails: each event is told, and once where Slack lets us find out."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from scanner.announcement import Sink
from scanner.errors import StoreLocked
from scanner.inventory import Inventory
from tests.alerts.fake_slack.driving import PLAIN_TOKEN
from tests.alerts.fake_slack.faults import (
    ApiError,
    ApiErrorAfter,
    ErrorAfter,
    ErrorBefore,
    Fault,
    RateLimited,
    ResetAfter,
    TruncatedAfter,
)
from tests.alerts.fake_slack.workspace import Message
from tests.alerts.nights import ROUTE, Killed, Nights
from tests.alerts.reading import shown
from tests.factories import NOW, a_key, an_inventory, an_owner

READING = ("conversations.history", "conversations.replies", "conversations.list")
AMBIGUOUS: tuple[Fault, ...] = (
    ErrorBefore(),
    ErrorAfter(),
    ResetAfter(),
    TruncatedAfter(),
    ApiErrorAfter("internal_error"),
)


def keys(*numbers: int) -> Inventory:
    """Old keys, each named by its number."""
    return an_inventory(
        keys=tuple(
            a_key(id=f"key_{n}", name=f"<k{n}>", created_at=NOW - timedelta(days=200))
            for n in numbers
        )
    )


def told(messages: tuple[Message, ...], number: int, *, resolved: bool = False) -> int:
    """How often a key's event was told; what was resolved stands below that word."""
    return sum(_part(message, resolved=resolved).count(f"<k{number}>") for message in messages)


def _part(message: Message, *, resolved: bool) -> str:
    news, _, done = shown(message).partition("Resolved:")
    return done if resolved else news


def test_each_event_is_told_once_and_a_quiet_night_not_at_all(nights: Nights) -> None:
    assert nights.night(keys(1, 2)) == []
    assert nights.night(keys(1, 2)) == []
    assert nights.night(keys(2, 3)) == []
    messages = nights.slack.fake.messages
    assert len(messages) == 2
    assert [told(messages, n) for n in (1, 2, 3)] == [1, 1, 1]
    assert told(messages, 1, resolved=True) == 1


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
def test_a_lost_answer_is_looked_for_and_nothing_is_told_twice(
    nights: Nights, fault: Fault
) -> None:
    nights.slack.fake.fail("chat.postMessage", fault)
    assert nights.night(keys(1)) == []
    assert told(nights.slack.fake.messages, 1) == 1
    assert nights.left == 0


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
def test_an_app_that_may_not_look_tells_again_on_the_next_night(
    nights: Nights, fault: Fault
) -> None:
    nights.token = PLAIN_TOKEN
    nights.slack.fake.fail("chat.postMessage", fault)
    (error,) = nights.night(keys(1))
    assert "may or may not have arrived" in str(error)
    assert nights.left == 1
    assert nights.night(keys(1)) == []
    assert told(nights.slack.fake.messages, 1) == (1 if isinstance(fault, ErrorBefore) else 2)
    assert nights.left == 0


@pytest.mark.parametrize("moment", range(1, 6))
def test_killed_at_any_moment_it_tells_each_event_once(nights: Nights, moment: int) -> None:
    """Notes of one delivery with a thread: begin, done, begin, done, close."""
    with pytest.raises(Killed):
        nights.night(keys(*range(20)), killed_at=moment)
    assert nights.again() == []
    messages = nights.slack.fake.messages
    assert [told(messages, n) for n in range(20)] == [1] * 20
    assert len(messages) == 2
    assert nights.left == 0


@pytest.mark.parametrize("seed", range(10))
def test_of_fourteen_nights_with_failures_each_event_is_told_once(
    nights: Nights, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    expected, current = Counter[tuple[int, bool]](), set[int]()
    for number in range(14):
        gone = {n for n in current if chance.random() < 0.2}
        come = {100 * number + n for n in range(chance.randrange(4))}
        expected.update({(n, True): 1 for n in gone} | {(n, False): 1 for n in come})
        current = current - gone | come
        for _ in range(chance.randrange(3)):
            fault = chance.choice((*AMBIGUOUS, RateLimited(1), RateLimited(30)))
            method = chance.choice(("chat.postMessage", "chat.postMessage", *READING))
            nights.slack.fake.fail(method, fault)
        try:
            nights.night(keys(*sorted(current)), killed_at=chance.choice((0, 0, 1, 2, 3)))
        except Killed:
            continue
    for _ in range(20):
        nights.again()
    assert nights.left == 0
    messages = nights.slack.fake.messages
    assert {event: told(messages, event[0], resolved=event[1]) for event in expected} == expected
    assert nights.slack.fake.pings == ()


def test_the_same_night_run_twice_is_one_message(nights: Nights) -> None:
    nights.night(keys(1))
    nights.night(keys(1), after=timedelta(seconds=1))
    assert len(nights.slack.fake.messages) == 1


def test_of_two_machines_at_once_one_tells(nights: Nights) -> None:
    other = replace(nights)
    with nights.store.hold("Acme"), pytest.raises(StoreLocked):
        other.night(keys(1))
    nights.night(keys(1))
    other.night(keys(1), after=timedelta(hours=1))
    assert len(nights.slack.fake.messages) == 1


def test_what_is_resolved_on_the_same_day_joins_the_message_of_that_day(nights: Nights) -> None:
    nights.night(keys(1, 2, 3))
    nights.night(keys(2, 3), after=timedelta(hours=2))
    nights.night(keys(3), after=timedelta(hours=2))
    first, *below = nights.slack.fake.messages
    assert [message.thread_ts for message in below] == [first.ts, first.ts]
    assert first.edited
    struck = [
        element["elements"][1]["style"]["strike"]
        for block in first.blocks
        for part in block.get("elements", ())
        if part["type"] == "rich_text_list"
        for element in part["elements"]
        if "style" in element["elements"][1]
    ]
    assert struck == [True, True]
    nights.night(keys(), after=timedelta(days=1))
    assert nights.slack.fake.messages[-1].thread_ts is None


def test_owners_hear_of_their_own_keys_and_strangers_keys_go_to_the_channel(
    nights: Nights,
) -> None:
    nights.routes = (replace(ROUTE, sink=Sink.SLACK_OWNERS),)
    stranger = an_owner(id="user-9", email="gone@example.com", name="Gone")
    inventory = keys(1)
    strange = a_key(id="key_2", name="<k2>", owner=stranger, created_at=NOW - timedelta(days=200))
    nights.night(replace(inventory, keys=(*inventory.keys, strange)))
    fake = nights.slack.fake
    assert told(fake.in_channel("D1"), 1) == 1
    assert told(fake.in_channel("D1"), 2) == 0
    assert told(fake.in_channel("C1"), 2) >= 1
    assert told(fake.in_channel("C1"), 1) == 0


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long"])
def test_where_slack_refuses_the_layout_the_message_comes_as_text(
    nights: Nights, code: str
) -> None:
    nights.slack.fake.fail("chat.postMessage", ApiError(code))
    assert nights.night(keys(1, 2)) == []
    (message,) = nights.slack.fake.messages
    assert message.blocks == ()
    assert "&lt;k1&gt;" in message.text
    assert "&lt;k2&gt;" in message.text
    assert nights.slack.fake.pings == ()


def test_where_slack_refuses_that_text_too_one_line_comes(nights: Nights) -> None:
    refusals = (ApiError("invalid_blocks"), ApiError("msg_too_long"))
    nights.slack.fake.fail("chat.postMessage", *refusals)
    assert nights.night(keys(1)) == []
    (message,) = nights.slack.fake.messages
    assert message.text.startswith("Acme: ")
    assert "\n" not in message.text


def test_an_owner_is_looked_up_once_for_all_nights_that_wait(nights: Nights) -> None:
    nights.routes = (replace(ROUTE, sink=Sink.SLACK_OWNERS),)
    nights.slack.fake.fail("chat.postMessage", ApiError("fatal_error"), ApiError("fatal_error"))
    assert len(nights.night(keys(1))) == 1
    nights.night(keys(1, 2))
    assert nights.left == 0
    calls = [call.method for call in nights.slack.fake.calls]
    assert calls.count("users.lookupByEmail") == 2  # each run asks once


def test_slack_that_asks_to_wait_for_ever_is_left_to_the_next_night(nights: Nights) -> None:
    nights.slack.fake.fail("chat.postMessage", *(RateLimited(60) for _ in range(9)))
    (error,) = nights.night(keys(1))
    assert "300 seconds" in str(error)
    assert sum(nights.slept) <= 300
    assert nights.again() == []
    assert told(nights.slack.fake.messages, 1) == 1
