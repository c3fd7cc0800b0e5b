"""With addresses masked, none leaves the process: by no sink, and on no fallback path."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.alerts.slack import SlackSink
from scanner.alerts.slack_api import SlackApi
from scanner.alerts.slack_webhook import SlackWebhookSink
from scanner.alerts.webhook import WebhookSink
from scanner.announcement import Announcement, Delivery, Draft, Part, Route, Sink, Topic
from scanner.deliver import deliver
from scanner.errors import AlertError
from scanner.ports import AlertSink, Lease
from scanner.redaction import without_addresses_in_draft
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.alerts.fake_slack.driving import TOKEN, Driven
from tests.alerts.fake_slack.faults import ApiError, ErrorAfter
from tests.alerts.mail_server import Post, serving_mail
from tests.alerts.mailing import a_sink
from tests.alerts.making import a_delivery
from tests.alerts.nights import Play
from tests.alerts.random_announcements import random_announcement
from tests.alerts.receiving import Answer, Receiver
from tests.factories import NOW

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
LOCAL = "zq9local"
DOMAIN = "zq9domain.example"
ADDRESS = f"{LOCAL}.ann@{DOMAIN}"
LEASE = Lease(organization="Acme", holder="a test", token=1)
TEXTS = (
    ADDRESS,
    f"<{ADDRESS}>",
    f'key of "{LOCAL} ann"@{DOMAIN}.',
    f"mailto:{ADDRESS}?subject={LOCAL}%20@{DOMAIN}",
    f"{ADDRESS},{ADDRESS};'{ADDRESS}'",
    f"a\u200b{ADDRESS}\u202e\n({ADDRESS.upper()})",
    f"{'x' * 50} {ADDRESS} {'&<>' * 50}",
    f"*{ADDRESS}* `{ADDRESS}`",
)


@st.composite
def announcements(draw: st.DrawFn) -> Announcement:
    """Any announcement, with addresses in every text that strangers can write."""
    made = random_announcement(draw(st.integers(0, 10_000)))
    text = st.sampled_from(TEXTS)
    words = [
        "title",
        "fix",
        "evidence",
        "key_id",
        "key_name",
        "redacted_value",
        "project",
        "owner",
        "owner_email",
    ]
    words += ["resolution", "revocation"]
    items = made.items or random_announcement(11).items[:1]
    spoilt = []
    for item in items[:30]:
        texts: dict[str, Any] = {word: draw(text) for word in words}
        spoilt.append(item._replace(**texts))
    counts = {topic: sum(one.topic is topic for one in spoilt) for topic in Topic}
    return replace(
        made,
        organization=draw(text),
        policies=(draw(text),),
        items=tuple(spoilt),
        counts={topic: count + 3 for topic, count in counts.items() if count},
        gaps=tuple(draw(st.lists(text, max_size=4))),
        notices=tuple(draw(st.lists(text, max_size=4))),
    )


@dataclass(kw_only=True)
class Waiting:
    """An outbox with one delivery, recorded before addresses were masked, and earlier ones."""

    delivery: Delivery
    earlier: tuple[Delivery, ...] = ()
    parts: dict[str, Part] = field(default_factory=dict)
    closed: bool = False

    def pending(self, *_: Any) -> tuple[Delivery, ...]:
        return () if self.closed else (replace(self.delivery, parts=self.parts),)

    def routes(self, *_: Any) -> frozenset[str]:
        return frozenset()

    def delivered(self, *_: Any) -> tuple[Delivery, ...]:
        return self.earlier

    def note(self, _lease: Lease, _delivery: str, name: str, part: Part) -> None:
        self.parts[name] = part

    def close(self, *_: Any, **_named: Any) -> None:
        self.closed = True


def sent(sink: AlertSink, outbox: Waiting) -> list[AlertError]:
    sinks = {outbox.delivery.draft.route: sink}
    return list(
        deliver(
            outbox,
            LEASE,
            sinks,
            lambda: NOW,
            lambda _: b"<!doctype html>",
            masks=True,
            verified_at=NOW,
        )
    )


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[Receiver, str]]:
    made = Receiver()
    with serving(made) as url:
        yield made, url


few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_masked(bytes_sent: str) -> None:
    shown = unquote_plus(bytes_sent).replace("\u2060", "").replace("\\u2060", "")
    assert "***" in shown
    assert not re.search(LOCAL[1:], shown, re.IGNORECASE)


def slack_sink(slack: Driven, route: Route) -> SlackSink:
    api = SlackApi(
        Secret(TOKEN), clock=slack.clock, sleep=lambda _: None, base_url=slack.address.api_url
    )
    return SlackSink(route, api, clock=lambda: NOW, sleep=lambda _: None, report="")


def in_slack(slack: Driven) -> str:
    """All that Slack was sent, but for the look-up of an owner."""
    calls = [c.params for c in slack.fake.calls if c.method != "users.lookupByEmail"]
    files = [(one.name, one.title) for one in slack.fake.files]
    return json.dumps([calls, files], ensure_ascii=False, default=str)


@few
@given(announcements())
@pytest.mark.parametrize("faults", [(), ("invalid_blocks",), ("invalid_blocks", "msg_too_long")])
def test_no_address_goes_to_a_channel(play: Play, faults: Any, said: Announcement) -> None:
    """As blocks, as text where blocks are refused, as one line, and in the thread."""
    slack = play()
    slack.fake.fail("chat.postMessage", *map(ApiError, faults))
    route = Route(name="the-route", sink=Sink.SLACK, to="#alerts", attach=True)
    sent(slack_sink(slack, route), Waiting(delivery=a_delivery(said, sink=Sink.SLACK)))
    assert slack.fake.messages
    assert_masked(in_slack(slack))


@few
@given(said=announcements(), is_known=st.booleans())
def test_an_owner_is_found_by_the_address_and_is_sent_none(
    play: Play, *, said: Announcement, is_known: bool
) -> None:
    """Nor is the channel, if Slack does not know the owner."""
    slack = play()
    if not is_known:
        slack.fake.fail("users.lookupByEmail", ApiError("users_not_found"))
    route = Route(name="the-route", sink=Sink.SLACK_OWNERS, to="#alerts", attach=True)
    delivery = a_delivery(said, sink=Sink.SLACK_OWNERS, target="ada@example.com")
    assert sent(slack_sink(slack, route), Waiting(delivery=delivery)) == []
    looked_up = [c.params for c in slack.fake.calls if c.method == "users.lookupByEmail"]
    assert [one["email"] for one in looked_up] == ["ada@example.com"]
    assert {one.channel for one in slack.fake.messages} == {"D1" if is_known else "C1"}
    assert_masked(in_slack(slack))
    assert "ada@" not in in_slack(slack)


def test_no_address_is_struck_out_in_an_earlier_message(play: Play) -> None:
    slack = play()
    route = Route(name="the-route", sink=Sink.SLACK, to="#alerts")
    item = (
        random_announcement(11)
        .items[0]
        ._replace(topic=Topic.NEW, key_name=ADDRESS, owner=ADDRESS, owner_email=ADDRESS)
    )
    plain = replace(random_announcement(7), gaps=(), notices=(), organization=ADDRESS)
    new = replace(plain, items=(item,), counts={Topic.NEW: 1})
    gone = replace(plain, items=(item._replace(topic=Topic.RESOLVED),), counts={Topic.RESOLVED: 1})
    first = Waiting(delivery=a_delivery(new, sink=Sink.SLACK))
    sent(slack_sink(slack, route), first)
    before = replace(first.delivery, parts=first.parts)
    second = a_delivery(gone, sink=Sink.SLACK)
    sent(slack_sink(slack, route), Waiting(delivery=second, earlier=(before,)))
    assert [c.method for c in slack.fake.calls].count("chat.update") == 1
    assert_masked(in_slack(slack))


@few
@given(announcements())
@pytest.mark.parametrize("faults", [(), (ApiError("invalid_blocks"),), (ErrorAfter(),)])
def test_no_address_goes_to_a_webhook_of_slack(play: Play, faults: Any, said: Announcement) -> None:
    slack = play()
    slack.fake.fail("webhook", *faults)
    route = Route(name="the-route", sink=Sink.SLACK_WEBHOOK, to="HOOK")
    url = Secret(slack.address.webhook_url)
    sink = SlackWebhookSink(url, route, report="", sleep=lambda _: None)
    waiting = Waiting(delivery=a_delivery(said, sink=Sink.SLACK_WEBHOOK))
    while not waiting.closed:  # a failed one is sent again
        sent(sink, waiting)
    assert slack.fake.messages
    assert_masked(in_slack(slack))


@few
@given(announcements())
def test_no_address_goes_to_a_webhook(receiver: tuple[Receiver, str], said: Announcement) -> None:
    """Nor in a request that is sent again."""
    taken, url = receiver
    taken.play(Answer(status=503))
    route = Route(name="the-route", sink=Sink.WEBHOOK, to="HOOK")
    sink = WebhookSink(Secret(url), Secret(SECRET), route, clock=lambda: NOW, sleep=lambda _: None)
    assert sent(sink, Waiting(delivery=a_delivery(said))) == []
    assert len(taken.received) == 2
    for one in taken.received:
        assert_masked(f"{one.path} {one.headers} {one.body.decode()}")


@few
@given(said=announcements(), is_too_large=st.booleans())
def test_no_address_goes_out_by_mail(*, said: Announcement, is_too_large: bool) -> None:
    """In the subject, as text, as HTML, in the name of the file; also without the file."""
    post = Post()
    post.data_answers = ["552 too large"] if is_too_large else []
    with serving_mail(post) as port:
        assert sent(a_sink(port), Waiting(delivery=a_delivery(said, sink=Sink.EMAIL))) == []
    mail = post.arrived[-1].mail
    assert len(list(mail.iter_attachments())) == (not is_too_large)
    headers = [str(mail[name]) for name in mail if name not in ("From", "To")]
    contents = [part.get_payload(decode=True) for part in mail.walk()]
    names = [part.get_filename() for part in mail.walk()]
    assert_masked(f"{headers} {names} {[c.decode() for c in contents if isinstance(c, bytes)]}")


@few
@given(announcements())
def test_masking_keeps_what_is_decided_by_and_is_done_once(said: Announcement) -> None:
    draft = Draft("the-route", Sink.SLACK_OWNERS, ADDRESS, said)
    masked = without_addresses_in_draft(draft)
    assert without_addresses_in_draft(masked) == masked
    assert masked[:3] == draft[:3]
    assert_masked(repr(masked.announcement))
    kept: Callable[[Any], Any] = lambda one: (  # noqa: E731 - two lines would hide what is kept
        one.fingerprint,
        one.topic,
        one.severity,
        one.rule,
        one.since,
        one.promise,
    )
    assert list(map(kept, masked.announcement.items)) == list(map(kept, said.items))
