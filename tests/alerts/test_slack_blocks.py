"""What is posted in Slack: within every limit, pinging nobody, and each finding once."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.alerts.slack_blocks import FEW, TOP, Message, Style, fitting, messages, parent
from scanner.announcement import NEWS, Announcement, Topic
from tests.alerts.fake_slack import chat
from tests.alerts.fake_slack.driving import CHANNELS, SCOPES, Driven, stage
from tests.alerts.fake_slack.request import Request
from tests.alerts.fake_slack.workspace import Workspace
from tests.alerts.random_announcements import mark, random_announcement
from tests.alerts.reading import shown
from tests.support.examples import examples

IN_CHANNEL: Final = Style(report="https://reports.example.com/")
BY_WEBHOOK: Final = Style(has_thread=False)
_MORE: Final = re.compile(r"… and ([\d,]+) more")


def left_out(message: Message) -> int:
    """How many findings a message says that there are more."""
    return sum(int(count.replace(",", "")) for count in _MORE.findall(shown(message)))


def post(workspace: Workspace, **params: Any) -> None:
    """Let the fake Slack judge a message, as it does over HTTP."""
    params = {"channel": "C1", "parse": "none", "unfurl_links": False, **params}
    chat.post_message(
        workspace, Request(path="", host="", token="t", params=params, body=b"", scopes=SCOPES)
    )


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(st.integers(0, 2**32), st.sampled_from([IN_CHANNEL, BY_WEBHOOK]))
def test_no_message_breaks_a_limit_pings_anybody_or_loses_a_finding(
    seed: int, style: Style
) -> None:
    announcement = random_announcement(seed)
    workspace = Workspace({one.id: one for one in CHANNELS}, (), pace=None)
    told = messages(announcement, style)
    for message in told:
        post(workspace, text=message.text, blocks=list(message.blocks), unfurl_media=False)
        post(workspace, text=message.fallback, unfurl_media=False)
    struck = list(_struck_out(announcement, style))
    post(workspace, text="struck", blocks=struck, unfurl_media=False)
    assert workspace.pings == []
    assert workspace.unfurls == []
    _assert_each_is_told_once_or_counted(announcement, told)
    for message in told:
        _assert_names_what_it_says(announcement, message)


def _assert_names_what_it_says(announcement: Announcement, message: Message) -> None:
    """What counts as named stands there by name: in the blocks, and in the fallback."""
    fallback = message.fallback
    for item in announcement.items:
        name = mark(int(item.fingerprint, 16))
        assert (name in shown(message)) is (item.fingerprint in message.named)
        assert name in fallback or item.fingerprint not in message.fallback_named


def _struck_out(announcement: Announcement, style: Style) -> tuple[Mapping[str, Any], ...]:
    """The message when all that it told of has been resolved on the same day."""
    resolved = frozenset(item.fingerprint for item in announcement.items)
    return parent(announcement, style, fitting(announcement, style), resolved).blocks


def _assert_each_is_told_once_or_counted(
    announcement: Announcement, told: tuple[Message, ...]
) -> None:
    everything = "\n".join(map(shown, told))
    times = [everything.count(mark(int(item.fingerprint, 16))) for item in announcement.items]
    assert set(times) <= {0, 1}
    counted = left_out(told[-1]) if len(told) > 1 else left_out(told[0])
    assert sum(times) + counted == sum(announcement.counts.values())


def test_the_worst_stand_in_the_message_and_the_others_in_its_thread() -> None:
    announcement = random_announcement(7)
    items = tuple(
        item._replace(
            topic=Topic.NEW, key_name=f"{mark(n)} key", title="T", fix="F", evidence="e", owner="o",
            owner_email="", project="p",
        )
        for n, item in enumerate(random_announcement(11).items[:1] * 30)
    )  # fmt: skip
    announcement = replace(announcement, items=items, counts={Topic.NEW: 30}, gaps=())
    first, *rest = messages(announcement, IN_CHANNEL)
    assert [n for n in range(30) if mark(n) in shown(first)] == list(range(TOP))
    assert left_out(first) == 20
    assert [n for n in range(30) if mark(n) in "".join(map(shown, rest))] == list(range(TOP, 30))
    assert all(left_out(message) == 0 for message in rest)


def test_what_is_open_still_and_what_was_resolved_stand_below_in_a_few_lines() -> None:
    item = random_announcement(11).items[0]._replace(key_name="k")
    for topic in (Topic.REMINDER, Topic.RESOLVED):
        items = tuple(item._replace(topic=topic, fingerprint=f"{n:032x}") for n in range(8))
        announcement = replace(random_announcement(7), items=items, counts={topic: 8}, gaps=())
        first, *rest = messages(announcement, IN_CHANNEL)
        assert left_out(first) == 8 - FEW
        assert len(rest) == 1


def test_the_link_leads_to_the_page_of_the_scan() -> None:
    style = Style(report="https://reports.example.com/{date}/{scan_id}.html")
    announcement = random_announcement(7)
    first, *_ = messages(announcement, style)
    page = f"https://reports.example.com/2026-07-01/{announcement.scan_id}.html"
    assert page in str(first.blocks[-1])


def test_a_group_is_called_for_critical_news_only() -> None:
    style = replace(IN_CHANNEL, mention="S0123456789")
    for seed in range(200):
        announcement = random_announcement(seed)
        is_grave = any(i.severity.value == "critical" for i in announcement.of(*NEWS))
        is_grave = is_grave or bool(announcement.notices)
        called = [
            message for message in messages(announcement, style) if "S0123456789" in str(message)
        ]
        assert len(called) == int(is_grave)


@pytest.fixture(scope="module")
def play() -> Any:
    with stage() as put_on:
        yield put_on


@pytest.mark.parametrize("seed", range(40))
def test_the_sdk_posts_them_over_http(play: Any, seed: int) -> None:
    slack: Driven = play()
    for message in messages(random_announcement(seed), IN_CHANNEL):
        slack.post(
            text=message.text,
            blocks=list(message.blocks),
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )
    assert slack.fake.pings == ()
    assert slack.fake.unfurls == ()
