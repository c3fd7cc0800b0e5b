"""chat.postMessage and chat.update."""

import json
from dataclasses import replace
from typing import Any, Final

from tests.alerts.fake_slack.blocks import check_blocks
from tests.alerts.fake_slack.mentions import Mentions
from tests.alerts.fake_slack.request import Body, Request, SlackError
from tests.alerts.fake_slack.workspace import BOT_USER, Message, Workspace

MAX_TEXT: Final = 40_000
MAX_UPDATE_BYTES: Final = 4_000
"""chat.update counts UTF-8 bytes; chat.postMessage truncates, which is refused here."""
MAX_METADATA_BYTES: Final = 8_000
"""Slack tells no figure; this one is on the careful side."""

_ELSEWHERE: Final = ("attachments", "markdown_text")
_DISGUISE: Final = ("username", "icon_emoji", "icon_url")


def post_message(workspace: Workspace, request: Request) -> Body:
    """Post a message to a channel by id or name, or to a user."""
    request.need("chat:write")
    if any(request.params.get(name) for name in _DISGUISE):
        request.need("chat:write.customize")
    channel = workspace.posting_to(request.text("channel") or "", request.scopes)
    workspace.hold_pace(channel.id)
    draft = Message(
        channel=channel.id,
        ts="",
        text=text_of(request, MAX_TEXT),
        blocks=tuple(blocks_of(request)),
        metadata=metadata_of(request),
    )
    if not draft.text.strip() and not draft.blocks:
        raise SlackError("no_text")
    thread_ts = workspace.thread(channel.id, request.text("thread_ts"))
    message = workspace.post(replace(draft, thread_ts=thread_ts), mentions_of(request))
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": shown(message)}


def update(workspace: Workspace, request: Request) -> Body:
    """Change a message of the bot's own; text without blocks removes the blocks."""
    request.need("chat:write")
    channel = workspace.admit(workspace.channels.get(request.required("channel")))
    old = workspace.find(channel.id, request.required("ts"))
    if old is None:
        raise SlackError("message_not_found")
    if old.via != "api":
        raise SlackError("cant_update_message")
    text = text_of(request, MAX_TEXT)
    if len(text.encode()) > MAX_UPDATE_BYTES:
        raise SlackError("msg_too_long")
    blocks = blocks_of(request)
    if not text.strip() and not blocks:
        raise SlackError("no_text")
    changes: dict[str, Any] = {"text": text or old.text, "blocks": tuple(blocks)}
    if "metadata" in request.params:
        changes["metadata"] = metadata_of(request)
    message = workspace.change(old, mentions_of(request), **changes)
    body = {"ok": True, "channel": channel.id, "ts": message.ts, "text": message.text}
    return {**body, "message": shown(message)}


def text_of(request: Request, most: int, name: str = "text") -> str:
    """Return the text of a message; refuse one that is too long."""
    if any(request.params.get(other) for other in _ELSEWHERE):
        raise SlackError("invalid_arguments")
    text = request.text(name) or ""
    if len(text) > most:
        raise SlackError("msg_too_long")
    return text


def blocks_of(request: Request) -> list[Body]:
    """Return the blocks of a message; refuse those that Slack would."""
    blocks = request.structure("blocks", "invalid_blocks_format")
    if blocks is None:
        return []
    check_blocks(blocks)
    checked: list[Body] = blocks
    return checked


def metadata_of(request: Request) -> Body | None:
    """Return a message's metadata, None where there is none."""
    metadata = request.structure("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    is_sound = (
        isinstance(metadata, dict)
        and metadata.keys() == {"event_type", "event_payload"}
        and isinstance(metadata["event_type"], str)
        and metadata["event_type"]
        and isinstance(metadata["event_payload"], dict)
    )
    if not is_sound:
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise SlackError("metadata_too_large")
    checked: Body = metadata
    return checked


def mentions_of(request: Request) -> Mentions:
    """Return how a message asked to be read."""
    is_linking = request.flag("link_names") or request.params.get("parse") == "full"
    unfurling = [request.flag(name, default=True) for name in ("unfurl_links", "unfurl_media")]
    return Mentions(
        is_mrkdwn=request.flag("mrkdwn", default=True),
        is_linking=is_linking,
        is_unfurling=any(unfurling),
    )


def shown(message: Message, *, has_payload: bool = True) -> Body:
    """Return a message as the API shows it; without its payload, metadata has only a type."""
    body: Body = {
        "type": "message",
        "user": BOT_USER,
        "bot_id": "B0BOT",
        "ts": message.ts,
        "text": message.text,
    }
    if message.blocks:
        body["blocks"] = list(message.blocks)
    if message.thread_ts:
        body["thread_ts"] = message.thread_ts
    if message.files:
        body["files"] = [
            {"id": file, "name": name}
            for file, name in zip(message.files, message.file_names, strict=True)
        ]
    if message.edited and not message.blocks:
        body["edited"] = {"user": BOT_USER, "ts": message.ts}
    if message.metadata:
        whole = message.metadata
        body["metadata"] = whole if has_payload else {"event_type": whole["event_type"]}
    return body
