"""An alert counts for the findings that it names, and for no other."""

from dataclasses import replace

from scanner.alerts.slack import SlackSink
from scanner.alerts.slack_api import SlackApi
from scanner.announcement import Announcement, Route, Sink, Topic
from scanner.secret import Secret
from tests.alerts.fake_slack.driving import TOKEN, Driven, stage
from tests.alerts.fake_slack.faults import ApiError
from tests.alerts.mail_server import Post, serving_mail
from tests.alerts.mailing import a_sink, parts
from tests.alerts.making import Notes, a_delivery, an_announcement, no_page
from tests.factories import NOW


def many(count: int) -> Announcement:
    """Tell of so many keys that will be revoked."""
    item = an_announcement().items[0]._replace(topic=Topic.DUE, revocation="will be deleted")
    items = [
        item._replace(key_name=f"number-{n:03};", fingerprint=f"f{n:03}") for n in range(count)
    ]
    return replace(
        an_announcement(), items=tuple(items), counts={Topic.DUE: count}, gaps=(), notices=()
    )


def names(count: int, text: str) -> set[str]:
    """Return the findings whose keys stand in a text."""
    return {f"f{n:03}" for n in range(count) if f"number-{n:03};" in text}


def test_a_mail_names_twenty() -> None:
    post = Post()
    with serving_mail(post) as port:
        delivery = a_delivery(many(60), sink=Sink.EMAIL)
        named = a_sink(port, attach=False)(delivery, Notes(), no_page)
    text, page = parts(post.arrived[0].mail)
    assert len(named) == 20
    assert names(60, text) == names(60, page) == named


def told(slack: Driven, announcement: Announcement) -> tuple[frozenset[str], str]:
    """Tell a channel; return what counts as named, and all that stands there."""
    route = Route(name="the-route", sink=Sink.SLACK, to="#alerts")
    api = SlackApi(
        Secret(TOKEN),
        clock=slack.clock,
        sleep=lambda _: None,
        base_url=slack.address.api_url,
    )
    sink = SlackSink(route, api, clock=lambda: NOW, sleep=lambda _: None, report="")
    named = sink(a_delivery(announcement, sink=Sink.SLACK), Notes(), no_page)
    return named, str([(one.text, one.blocks) for one in slack.fake.messages])


def test_a_message_and_its_thread_name_what_stands_there() -> None:
    with stage() as play:
        slack = play()
        named, said = told(slack, many(60))
        assert len(named) == 60
        assert names(60, said) == named


def test_where_blocks_are_refused_only_the_text_counts() -> None:
    with stage() as play:
        slack = play()
        slack.fake.fail("chat.postMessage", ApiError("invalid_blocks"))
        named, said = told(slack, many(20))
        assert names(20, said) == named
        slack.fake.fail("chat.postMessage", *[ApiError("invalid_blocks"), ApiError("msg_too_long")])
        named, _ = told(slack, replace(many(4), scan_id="20260701T030000Z-ffffffff"))
        assert named == frozenset()
