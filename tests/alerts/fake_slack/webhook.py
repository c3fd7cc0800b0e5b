"""An incoming webhook: a channel of its own, plain words for answers."""

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

from tests.alerts.fake_slack.chat import MAX_TEXT, blocks_of, mentions_of, metadata_of, text_of
from tests.alerts.fake_slack.request import Body, Request, SlackError, parameters
from tests.alerts.fake_slack.workspace import Message, Workspace

PATH: Final = "/services/T1/B1/x"
STATUS: Final = {
    "action_prohibited": 403,
    "invalid_token": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "channel_is_archived": 410,
    "ratelimited": 429,
    "rollup_error": 500,
}
"""All other refusals are 400."""


def payload_of(request: Request) -> Body:
    """Return what was sent, as JSON or as a form's `payload`; raise SlackError if it is neither."""
    body = request.body
    if body.startswith(b"payload="):
        body = parse_qs(body.decode())["payload"][0].encode()
    try:
        return parameters("application/json", body)
    except SlackError:
        raise SlackError("invalid_payload") from None


def sent(request: Request) -> Body:
    """Return what was sent, nothing where it says nothing sound."""
    try:
        return payload_of(request)
    except SlackError:
        return {}


def post(workspace: Workspace, channel_id: str, request: Request) -> str:
    """Post to the webhook's channel. The answer tells no `ts`, but a thread's is honoured."""
    if request.path != PATH:
        raise SlackError("no_service")
    request = replace(request, params=payload_of(request))
    channel = workspace.channels.get(channel_id)
    if channel is None:
        raise SlackError("channel_not_found")
    if channel.is_archived:
        raise SlackError("channel_is_archived")
    workspace.hold_pace(channel.id)
    draft = Message(
        channel=channel.id,
        ts="",
        text=text_of(request, MAX_TEXT),
        blocks=tuple(blocks_of(request)),
        metadata=metadata_of(request),
        via="webhook",
    )
    if not draft.text.strip() and not draft.blocks:
        raise SlackError("no_text")
    thread_ts = workspace.thread(channel.id, request.text("thread_ts"))
    workspace.post(replace(draft, thread_ts=thread_ts), mentions_of(request))
    return "ok"
