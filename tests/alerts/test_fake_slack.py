"""The fake Slack answers the SDK's own clients as Slack would."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.alerts.fake_slack.driving import PLAIN_TOKEN, SCOPES, TOKEN, Driven, refused, stage
from tests.alerts.fake_slack.workspace import File, Message, Ping

METADATA = {"event_type": "scan", "event_payload": {"scan": 7, "route": "default"}}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}


@pytest.fixture(scope="module")
def play() -> Iterator[Callable[..., Driven]]:
    with stage() as play:
        yield play


@pytest.fixture
def slack(play: Callable[..., Driven]) -> Driven:
    return play()


def test_a_token_is_known_by_its_bot_and_its_scopes(slack: Driven) -> None:
    answer = slack.client().auth_test()
    assert answer["user_id"] == "U0BOT"
    assert answer.headers["x-oauth-scopes"] == ",".join(sorted(SCOPES))


@pytest.mark.parametrize(
    ("token", "code"),
    [(None, "not_authed"), ("xoxb-wrong", "invalid_auth"), ("xoxb-old", "token_revoked")],
)
def test_a_token_that_is_not_good_is_refused(slack: Driven, token: str | None, code: str) -> None:
    slack.fake.revoked.add("xoxb-old")
    with refused(code):
        slack.client(token).auth_test()


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("conversations.history", {"channel": "C1"}, "channels:history"),
        ("conversations.history", {"channel": "G1"}, "groups:history"),
        ("conversations.replies", {"channel": "C1", "ts": "1"}, "channels:history"),
        ("conversations.open", {"users": "U1"}, "im:write"),
        ("conversations.list", {}, "channels:read"),
        ("conversations.info", {"channel": "G1"}, "groups:read"),
        ("conversations.members", {"channel": "C1"}, "channels:read"),
        ("users.lookupByEmail", {"email": "ada@example.com"}, "users:read.email"),
        ("files.getUploadURLExternal", {"filename": "a", "length": 1}, "files:write"),
        ("files.completeUploadExternal", {"files": "[]"}, "files:write"),
        ("chat.postMessage", {"channel": "C1", "username": "root"}, "chat:write.customize"),
    ],
)
def test_a_missing_scope_is_named(
    slack: Driven, method: str, params: dict[str, Any], needed: str
) -> None:
    with refused("missing_scope", needed=needed, provided="chat:write"):
        slack.client(PLAIN_TOKEN).api_call(method, params=params)


@pytest.mark.parametrize(
    ("asked", "channel"), [("C1", "C1"), ("alerts", "C1"), ("#alerts", "C1"), ("U1", "D1")]
)
def test_a_message_goes_to_a_channel_by_id_or_name_or_to_a_user(
    slack: Driven, asked: str, channel: str
) -> None:
    answer = slack.post(asked, blocks=[SECTION], metadata=METADATA)
    expected = Message(
        channel=channel,
        ts="1700000000.000000",
        text="hello",
        blocks=(SECTION,),
        metadata=METADATA,
    )
    assert (answer["channel"], answer["ts"]) == (channel, "1700000000.000000")
    assert slack.fake.in_channel(channel) == (expected,)


def test_a_form_says_the_same_as_json(slack: Driven) -> None:
    form = {"blocks": json.dumps([SECTION]), "metadata": json.dumps(METADATA), "mrkdwn": False}
    slack.client().api_call("chat.postMessage", params={"channel": "C1", "text": "a", **form})
    slack.post(text="a", blocks=[SECTION], metadata=METADATA)
    first, second = slack.fake.messages
    assert replace(second, ts=first.ts) == first


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("C2", "not_in_channel"),
        ("C3", "is_archived"),
        ("G2", "channel_not_found"),
        ("nowhere", "channel_not_found"),
    ],
)
def test_a_channel_the_bot_cannot_post_to_is_refused(
    slack: Driven, channel: str, code: str
) -> None:
    with refused(code):
        slack.post(channel)


def test_a_public_channel_takes_a_guest_with_the_scope(slack: Driven) -> None:
    slack.fake.tokens[TOKEN] = frozenset({"chat:write", "chat:write.public"})
    assert slack.post("C2")["channel"] == "C2"


def test_nothing_is_idempotent(slack: Driven) -> None:
    for _ in range(2):
        slack.post(client_msg_id="7f0c3a52-0000-4000-8000-000000000000")
    assert len(slack.fake.messages) == 2


def test_a_thread_is_kept_out_of_the_history_and_read_oldest_first(slack: Driven) -> None:
    parent = slack.post()["ts"]
    answers = [slack.post(text=text, thread_ts=parent)["ts"] for text in "ab"]
    (top,) = slack.client().conversations_history(channel="C1")["messages"]
    assert (top["ts"], top["reply_count"], top["latest_reply"]) == (parent, 2, answers[1])
    thread = slack.client().conversations_replies(channel="C1", ts=parent)["messages"]
    assert [message["ts"] for message in thread] == [parent, *answers]
    with refused("thread_not_found"):
        slack.post(thread_ts="1.000001")


def test_metadata_comes_back_whole_only_if_asked_for(slack: Driven) -> None:
    slack.post(metadata=METADATA)
    history = slack.client().conversations_history
    (short,) = history(channel="C1")["messages"]
    (whole,) = history(channel="C1", include_all_metadata=True)["messages"]
    assert short["metadata"] == {"event_type": "scan"}
    assert whole["metadata"] == METADATA


def test_history_is_newest_first_in_pages_and_between_times(slack: Driven) -> None:
    sent = [slack.post(text=str(number))["ts"] for number in range(5)]
    client = slack.client()
    pages = client.conversations_history(channel="C1", limit=2)
    assert [m["ts"] for page in pages for m in page["messages"]] == sent[::-1]
    span = {"channel": "C1", "oldest": sent[1], "latest": sent[3]}
    between = client.conversations_history(**span)["messages"]
    around = client.conversations_history(**span, inclusive=True)["messages"]
    assert [m["ts"] for m in between] == [sent[2]]
    assert [m["ts"] for m in around] == sent[3:0:-1]
    with refused("invalid_cursor"):
        client.conversations_history(channel="C1", cursor="bmV4dDox")
    with refused("invalid_limit"):
        client.conversations_history(channel="C1", limit=1000)


def test_an_update_with_text_alone_removes_blocks_and_keeps_metadata(slack: Driven) -> None:
    ts = slack.post(blocks=[SECTION], metadata=METADATA)["ts"]
    slack.client().chat_update(channel="C1", ts=ts, text="bye")
    expected = Message(channel="C1", ts=ts, text="bye", metadata=METADATA, edited=True)
    assert slack.fake.messages == (expected,)
    with refused("message_not_found"):
        slack.client().chat_update(channel="C1", ts="1.000001", text="bye")
    with refused("msg_too_long"):
        slack.client().chat_update(channel="C1", ts=ts, text="é" * 2001)


def test_people_are_found_by_address_and_opened_a_conversation_with(slack: Driven) -> None:
    client = slack.client()
    user = client.users_lookupByEmail(email="ADA@example.com")["user"]["id"]
    channel = client.conversations_open(users=user)["channel"]["id"]
    client.chat_postMessage(channel=channel, text="hello")
    assert [
        message["text"] for message in client.conversations_history(channel=channel)["messages"]
    ] == ["hello"]
    with refused("users_not_found"):
        client.users_lookupByEmail(email="eve@example.com")


def test_conversations_are_listed_and_described_as_far_as_the_bot_sees(slack: Driven) -> None:
    client = slack.client()
    listed = client.conversations_list(types="public_channel,private_channel", limit=2)
    names = [channel["name"] for page in listed for channel in page["channels"]]
    assert names == ["alerts", "elsewhere", "attic", "inner"]
    assert client.conversations_info(channel="C2")["channel"]["is_member"] is False
    assert client.conversations_members(channel="C1")["members"] == ["U0BOT", "U1"]
    with refused("channel_not_found"):
        client.conversations_info(channel="G2")


def test_a_file_is_uploaded_and_shared_in_a_thread(slack: Driven) -> None:
    parent = slack.post()["ts"]
    answer = slack.client().files_upload_v2(
        content="<html>",
        filename="a.html",
        title="A",
        channel="C1",
        thread_ts=parent,
        initial_comment="see",
    )
    file = File(
        id=answer["file"]["id"],
        name="a.html",
        title="A",
        content=b"<html>",
        channel="C1",
        thread_ts=parent,
    )
    assert slack.fake.files == (file,)
    shared = slack.fake.messages[1]
    assert (shared.text, shared.thread_ts, shared.files) == ("see", parent, (file.id,))
    assert [call.method for call in slack.fake.calls[1:]] == [
        "files.getUploadURLExternal",
        "upload",
        "files.completeUploadExternal",
    ]


def test_a_file_is_not_shared_by_a_channels_name(slack: Driven) -> None:
    with refused("channel_not_found"):
        slack.client().files_upload_v2(content="a", filename="a", channel="#alerts")
    assert slack.fake.files == ()


def test_a_webhook_posts_to_its_channel_and_tells_no_ts(slack: Driven) -> None:
    answer = slack.webhook().send(text="hello", blocks=[SECTION])
    assert (answer.status_code, answer.body) == (200, "ok")
    parent = slack.fake.messages[0].ts
    slack.webhook().send_dict({"text": "more", "thread_ts": parent})
    assert slack.fake.messages == (
        Message(channel="C1", ts=parent, text="hello", blocks=(SECTION,), via="webhook"),
        Message(channel="C1", ts="1700000000.000001", thread_ts=parent, text="more", via="webhook"),
    )


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "no_text"),
        ({"text": "a", "blocks": [{"type": "nothing"}]}, 400, "invalid_blocks"),
        ([], 400, "invalid_payload"),
    ],
)
def test_a_webhook_refuses_in_a_word(slack: Driven, body: Any, status: int, word: str) -> None:
    client = slack.webhook()
    answer = client._perform_http_request(body=body, headers={})  # noqa: SLF001 - raw bodies
    assert (answer.status_code, answer.body) == (status, word)


def test_a_webhook_goes_with_its_channel(slack: Driven) -> None:
    def answered() -> tuple[int, str]:
        answer = slack.webhook().send(text="hello")
        return answer.status_code, answer.body

    slack.fake.channels["C1"] = replace(slack.fake.channels["C1"], is_archived=True)
    assert answered() == (410, "channel_is_archived")
    del slack.fake.channels["C1"]
    assert answered() == (404, "channel_not_found")
    client = slack.webhook()
    client.url += "y"
    gone = client.send(text="hello")
    assert (gone.status_code, gone.body) == (404, "no_service")


def test_calls_are_remembered_without_their_tokens(slack: Driven) -> None:
    slack.post()
    with refused("channel_not_found"):
        slack.post("nowhere")
    shown = [
        (call.method, call.params["channel"], call.token, call.outcome) for call in slack.fake.calls
    ]
    assert shown == [
        ("chat.postMessage", "C1", "xoxb-***", "ok"),
        ("chat.postMessage", "nowhere", "xoxb-***", "channel_not_found"),
    ]


def test_pings_know_their_message(slack: Driven) -> None:
    ts = slack.post(text="<!here> and <@U1>")["ts"]
    pings = [Ping(channel="C1", ts=ts, who="here"), Ping(channel="C1", ts=ts, who="U1")]
    assert slack.fake.pings == tuple(pings)
