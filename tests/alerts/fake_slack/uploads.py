"""Files: an address to send the bytes to, the bytes, and the sharing of them."""

from dataclasses import replace
from typing import Final

from tests.alerts.fake_slack.chat import MAX_TEXT, mentions_of, text_of
from tests.alerts.fake_slack.request import Body, Request, SlackError
from tests.alerts.fake_slack.workspace import Channel, File, Message, Workspace

ROOT: Final = "/upload/v1/"
MAX_LENGTH: Final = 10**9


def upload_url(workspace: Workspace, request: Request) -> Body:
    """Give out an address for a file of a known name and length."""
    request.need("files:write")
    name = request.required("filename")
    length = request.number("length", 0, MAX_LENGTH)
    file = File(id=workspace.new_id("F"), name=name, title=name, content=b"")
    workspace.uploads[file.id] = file
    address = f"http://{request.host}{ROOT}{file.id}/{length}"
    return {"ok": True, "upload_url": address, "file_id": file.id}


def receive_bytes(workspace: Workspace, request: Request) -> tuple[int, str]:
    """Take a file's bytes; they have to be as many as was said."""
    file_id, _, length = request.path.removeprefix(ROOT).partition("/")
    file = workspace.uploads.get(file_id)
    if file is None:
        return 404, "not_found"
    if len(request.body) != int(length):
        return 400, "length_mismatch"
    workspace.uploads[file_id] = replace(file, content=request.body)
    return 200, f"OK - {length}"


def complete(workspace: Workspace, request: Request) -> Body:
    """Share uploaded files in a message, or keep them private; channels go by id only."""
    request.need("files:write")
    asked = request.structure("files", "invalid_arguments")
    if not isinstance(asked, list) or not asked:
        raise SlackError("invalid_arguments")
    files = [_uploaded(workspace, one) for one in asked]
    channels = _channels(workspace, request)
    thread_ts = request.text("thread_ts")
    if thread_ts is not None and len(channels) != 1:
        raise SlackError("invalid_arguments")
    text = text_of(request, MAX_TEXT, "initial_comment")
    for channel in channels:
        workspace.thread(channel.id, thread_ts)
    for file in files:
        del workspace.uploads[file.id]
    for channel in channels:
        draft = Message(
            channel=channel.id,
            ts="",
            thread_ts=thread_ts,
            text=text,
            files=tuple(file.id for file in files),
            file_names=tuple(file.name for file in files),
        )
        workspace.post(draft, mentions_of(request))
    places: list[str | None] = [channel.id for channel in channels]
    workspace.files += [
        replace(file, channel=place, thread_ts=thread_ts)
        for place in places or [None]
        for file in files
    ]
    return {"ok": True, "files": [{"id": file.id, "title": file.title} for file in files]}


def _uploaded(workspace: Workspace, asked: object) -> File:
    if not isinstance(asked, dict):
        raise SlackError("invalid_arguments")
    file = workspace.uploads.get(asked.get("id", ""))
    if file is None or not file.content:
        raise SlackError("file_not_found")
    return replace(file, title=asked.get("title") or file.title)


def _channels(workspace: Workspace, request: Request) -> list[Channel]:
    one, many = request.text("channel_id"), request.text("channels")
    asked = [one] if one else (many or "").split(",")
    found = [
        workspace.direct(name) if many and name in workspace.users else workspace.channels.get(name)
        for name in asked
        if name
    ]
    return [workspace.admit(channel) for channel in found]
