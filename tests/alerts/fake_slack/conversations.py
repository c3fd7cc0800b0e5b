"""The conversations methods, and users.lookupByEmail."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from tests.alerts.fake_slack.chat import shown
from tests.alerts.fake_slack.request import Body, Request, SlackError
from tests.alerts.fake_slack.workspace import BOT_USER, Channel, Message, Workspace

KINDS: Final = {"public_channel": "channels", "private_channel": "groups", "im": "im"}
MAX_PAGE: Final = 999

Item = TypeVar("Item")


def kind_of(channel: Channel) -> str:
    """Return the name that Slack's scopes have for a kind of conversation."""
    if channel.is_im:
        return "im"
    return "groups" if channel.is_private else "channels"


def history(workspace: Workspace, request: Request) -> Body:
    """List a conversation's messages outside of threads, newest first."""
    channel = _readable(workspace, request)
    messages = [
        message
        for message in workspace.messages
        if message.channel == channel.id and message.thread_ts is None
    ]
    newest_first = sorted(_between(messages, request), key=lambda one: one.ts, reverse=True)
    page, rest = _page(newest_first, request, lambda one: one.ts)
    return {"ok": True, "messages": _shown(workspace, page, request), **rest}


def replies(workspace: Workspace, request: Request) -> Body:
    """List a thread: its parent, and the replies oldest first."""
    channel = _readable(workspace, request)
    asked = workspace.find(channel.id, request.required("ts"))
    if asked is None:
        raise SlackError("thread_not_found")
    parent = asked.thread_ts or asked.ts
    messages = [
        one
        for one in workspace.messages
        if one.channel == channel.id and parent in {one.ts, one.thread_ts}
    ]
    page, rest = _page(list(_between(messages, request)), request, lambda one: one.ts)
    return {"ok": True, "messages": _shown(workspace, page, request), **rest}


def open_direct(workspace: Workspace, request: Request) -> Body:
    """Open a direct message with one user."""
    request.need("im:write")
    user = request.required("users")
    if user not in workspace.users:
        raise SlackError("user_not_found")
    return {"ok": True, "channel": {"id": workspace.direct(user).id}}


def info(workspace: Workspace, request: Request) -> Body:
    """Describe one conversation."""
    channel = workspace.channels.get(request.required("channel"))
    request.need(f"{kind_of(channel) if channel else 'channels'}:read")
    return {"ok": True, "channel": _described(workspace.visible(channel))}


def members(workspace: Workspace, request: Request) -> Body:
    """List who is in a conversation."""
    channel = workspace.channels.get(request.required("channel"))
    request.need(f"{kind_of(channel) if channel else 'channels'}:read")
    seen = workspace.visible(channel)
    inside = [*seen.members, *([BOT_USER] if seen.is_member else [])]
    page, rest = _page(sorted(inside), request, str)
    return {"ok": True, "members": page, **rest}


def list_all(workspace: Workspace, request: Request) -> Body:
    """List conversations of the kinds asked for: all public ones, of others the bot's own."""
    kinds = (request.text("types") or "public_channel").split(",")
    if not set(kinds) <= KINDS.keys():
        raise SlackError("invalid_types")
    request.need(*(f"{KINDS[kind]}:read" for kind in kinds))
    wanted = {KINDS[kind] for kind in kinds}
    channels = [
        channel
        for channel in sorted(workspace.channels.values(), key=lambda one: one.id)
        if kind_of(channel) in wanted
        and (channel.is_member or not channel.is_private)
        and not (channel.is_archived and request.flag("exclude_archived"))
    ]
    page, rest = _page(channels, request, lambda one: one.id)
    return {"ok": True, "channels": [_described(one) for one in page], **rest}


def lookup_by_email(workspace: Workspace, request: Request) -> Body:
    """Find the user who has an e-mail address."""
    request.need("users:read.email")
    email = request.required("email").lower()
    found = next((one for one in workspace.users.values() if one.email.lower() == email), None)
    if found is None:
        raise SlackError("users_not_found")
    profile = {"email": found.email}
    return {"ok": True, "user": {"id": found.id, "name": found.name, "profile": profile}}


def _readable(workspace: Workspace, request: Request) -> Channel:
    channel = workspace.channels.get(request.required("channel"))
    request.need(f"{kind_of(channel) if channel else 'channels'}:history")
    seen = workspace.visible(channel)
    if not seen.is_member:
        raise SlackError("not_in_channel")
    return seen


def _between(messages: Iterable[Message], request: Request) -> Iterable[Message]:
    oldest = _time(request, "oldest", 0.0)
    latest = _time(request, "latest", float("inf"))
    is_inclusive = request.flag("inclusive")
    for message in messages:
        at = float(message.ts)
        if oldest < at < latest or (is_inclusive and at in {oldest, latest}):
            yield message


def _time(request: Request, name: str, default: float) -> float:
    try:
        return float(request.params.get(name) or default)
    except (TypeError, ValueError):
        raise SlackError(f"invalid_ts_{name}") from None


def _page(
    items: Sequence[Item], request: Request, key: Callable[[Item], str]
) -> tuple[Sequence[Item], Body]:
    """Return a page, and what tells of the next: its cursor names that page's first item."""
    limit = request.number("limit", 100, MAX_PAGE)
    start = 0
    cursor = request.text("cursor")
    if cursor:
        keys = [key(item) for item in items]
        start = keys.index(_decoded(cursor, keys))
    rest = items[start + limit :]
    following = base64.b64encode(f"next:{key(rest[0])}".encode()).decode() if rest else ""
    tells = {"has_more": bool(rest), "response_metadata": {"next_cursor": following}}
    return items[start : start + limit], tells


def _decoded(cursor: str, keys: Sequence[str]) -> str:
    try:
        key = base64.b64decode(cursor, validate=True).decode().removeprefix("next:")
    except (binascii.Error, ValueError):
        raise SlackError("invalid_cursor") from None
    if key not in keys:
        raise SlackError("invalid_cursor")
    return key


def _shown(workspace: Workspace, messages: Iterable[Message], request: Request) -> list[Body]:
    has_payload = request.flag("include_all_metadata")
    bodies = []
    for message in messages:
        body = shown(message, has_payload=has_payload)
        answers = [
            one.ts
            for one in workspace.messages
            if (one.channel, one.thread_ts) == (message.channel, message.ts)
        ]
        if answers:
            thread = {"thread_ts": message.ts, "reply_count": len(answers)}
            body |= {**thread, "latest_reply": answers[-1]}
        bodies.append(body)
    return bodies


def _described(channel: Channel) -> Body:
    body: Body = {"id": channel.id, "is_archived": channel.is_archived, "is_im": channel.is_im}
    if channel.is_im:
        return {**body, "user": channel.members[0]}
    own = {"is_member": channel.is_member, "is_private": channel.is_private}
    return {**body, "name": channel.name, "is_channel": not channel.is_private, **own}
