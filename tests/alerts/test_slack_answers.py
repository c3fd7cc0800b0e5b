"""Answers of Slack with fields of any type and value: an alert error at most, never a crash."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.alerts.slack import SlackSink
from scanner.alerts.slack_api import SlackApi, SlackRefused
from scanner.announcement import Route, Sink
from scanner.errors import AlertError
from scanner.sandbox.app import Receive, Scope, Send
from scanner.secret import Secret
from tests.alerts.fake_slack.driving import CHANNELS, SCOPES, TOKEN, USERS
from tests.alerts.fake_slack.fake_slack import METHODS, FakeSlack, serving_slack
from tests.alerts.fake_slack.faults import ApiError, ErrorAfter, Fault
from tests.alerts.making import Notes, Sleep, a_delivery, an_announcement, no_page
from tests.factories import NOW

OWNER = "ada@example.com"
MESSAGE = "chat.postMessage"
WRONG: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1.5,
    10**400,
    "",
    "text",
    "\x00\ud800",
    "x" * 5_000,
    "https://files.slack.com/ü\n",
    [],
    [None],
    [[]],
    ["x"],
    [{}],
    [{"id": 1}],
    {},
    {"id": None},
    {"id": ["C1"]},
    {"x": {"y": []}},
)
"""In place of any value."""
FAULTS: tuple[Fault | None, ...] = (
    None,
    ErrorAfter(),
    ApiError("missing_scope", needed="chat:write", errors=["a", "b"]),
    ApiError("invalid_blocks", response_metadata={"messages": ["a"]}),
)


@dataclass
class Mutated:
    """A fake Slack whose answers to some methods have another value in one place.

    `changes` has, for each method, the place (a field, or a number modulo that of all places) and
    the value.
    """

    fake: FakeSlack
    changes: Mapping[str, tuple[int | str, Any]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        change = self.changes.get(scope["path"].removeprefix("/api/"))
        start: dict[str, Any] = {}

        async def altered(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body = message["body"] if change is None else mutated(message["body"], *change)
            kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await send({**start, "headers": [*kept, length]})
            await send({**message, "body": body})

        await self.fake(scope, receive, altered)


def mutated(body: bytes, place: int | str, value: Any) -> bytes:
    """Return a JSON document with another value in one of its places; what is not JSON as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if isinstance(place, str):
        document[place] = value
        return json.dumps(document).encode()
    places = list(places_in(document))
    parent, key = places[place % len(places)]
    parent[key] = value
    return json.dumps(document).encode()


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a document: a container and the key or index in it."""
    keys = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(keys):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places_in(inner)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Mutated, str]]:
    app = Mutated(a_slack())
    with serving_slack(app) as address:
        yield app, address.api_url


def a_slack() -> FakeSlack:
    channels = {channel.id: channel for channel in CHANNELS}
    return FakeSlack(tokens={TOKEN: SCOPES}, channels=channels, users=USERS, pace=None)


def an_api(url: str) -> SlackApi:
    return SlackApi(Secret(TOKEN), clock=lambda: 0.0, sleep=Sleep(), base_url=url)


CHANGES = st.dictionaries(
    st.sampled_from(sorted(METHODS)),
    st.tuples(st.integers(0, 99), st.sampled_from(WRONG)),
    min_size=1,
    max_size=4,
)


@given(
    changes=CHANGES,
    to=st.sampled_from(["#alerts", "#inner", "C1", ""]),
    fault=st.sampled_from(FAULTS),
)
def test_whatever_slack_answers_an_alert_arrives_or_ends_as_an_alert_error(
    stage: tuple[Mutated, str], changes: dict[str, tuple[int, Any]], to: str, fault: Fault | None
) -> None:
    app, url = stage
    app.fake, app.changes = a_slack(), changes
    if fault is not None:
        app.fake.fail(MESSAGE, fault)
    sink = Sink.SLACK if to else Sink.SLACK_OWNERS
    route = Route(name="r", sink=sink, to=to or "#alerts", attach=True)
    send = SlackSink(route, an_api(url), clock=lambda: NOW, sleep=Sleep(), report="")
    delivery, notes = a_delivery(sink=sink, target=OWNER), Notes()
    errors = []
    for _ in range(2):  # the second looks for what the first may have sent
        try:
            send(delivery, notes, lambda: b"<!doctype html>")
        except AlertError as error:
            errors.append(str(error))
        else:
            break
    assert all(error.endswith(".") and len(error) < 1_000 for error in errors)
    assert len(errors) == 2 or app.fake.messages
    kept = [text for part in notes.parts.values() for text in part.receipt.values()]
    assert all(text.isascii() and text.isprintable() for text in kept)


@given(
    changes=st.dictionaries(
        st.sampled_from(["conversations.info", "conversations.list", "auth.test"]),
        st.tuples(st.integers(0, 99), st.sampled_from(WRONG)),
    ),
    place=st.sampled_from(["#alerts", "#nowhere", "C1"]),
)
def test_whatever_slack_answers_doctor_gets_a_channel_or_an_alert_error(
    stage: tuple[Mutated, str], changes: dict[str, tuple[int, Any]], place: str
) -> None:
    app, url = stage
    app.fake, app.changes = a_slack(), changes
    api = an_api(url)
    with suppress(AlertError):
        api.scopes()
    with suppress(AlertError):
        found = api.channel(place)
        assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("conversations.history", "messages", None),
        ("conversations.history", "messages", 7),
        ("conversations.history", "response_metadata", ["x"]),
        ("conversations.history", "response_metadata", {"next_cursor": 7}),
        ("files.getUploadURLExternal", "upload_url", 7),
        ("files.getUploadURLExternal", "upload_url", "https://files.slack.com/\u00fc"),
        ("files.completeUploadExternal", "files", 7),
        ("files.completeUploadExternal", "files", None),
    ],
)
def test_a_field_of_another_type_is_not_delivered(
    stage: tuple[Mutated, str], method: str, name: str, value: Any
) -> None:
    app, url = stage
    app.fake, app.changes = a_slack(), {method: (name, value)}
    if method == "conversations.history":
        app.fake.fail(MESSAGE, ErrorAfter())
    route = Route(name="r", sink=Sink.SLACK, to="C1", attach=True)
    send = SlackSink(route, an_api(url), clock=lambda: NOW, sleep=Sleep(), report="")
    with pytest.raises(AlertError):
        send(a_delivery(sink=Sink.SLACK), Notes(), lambda: b"<!doctype html>")


@pytest.mark.parametrize(("name", "value"), [("ts", 1.5), ("channel", ["C1"]), ("ok", "true")])
def test_a_message_whose_confirmation_is_invalid_is_found_and_not_sent_again(
    stage: tuple[Mutated, str], name: str, value: Any
) -> None:
    app, url = stage
    app.fake, app.changes = a_slack(), {MESSAGE: (name, value)}
    route = Route(name="r", sink=Sink.SLACK, to="C1")
    send = SlackSink(route, an_api(url), clock=lambda: NOW, sleep=Sleep(), report="")
    few = replace(an_announcement(), items=(), gaps=())
    send(a_delivery(few, sink=Sink.SLACK), Notes(), no_page)
    assert len(app.fake.messages) == 1


@pytest.mark.parametrize("value", [7, {}, None, [7, {}, None], "text"])
def test_a_refusal_with_details_of_another_type_is_still_that_refusal(
    stage: tuple[Mutated, str], value: Any
) -> None:
    app, url = stage
    app.fake, app.changes = a_slack(), {}
    app.fake.fail(MESSAGE, ApiError("missing_scope", errors=value, needed=value))
    with pytest.raises(SlackRefused, match=r": missing_scope\.$"):
        an_api(url).post("C1", text="hello")
