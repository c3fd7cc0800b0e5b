"""An API whose writes go wrong, and whose responses are about another object or have no date."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from scanner.sandbox.app import AsgiApp, Message, Receive, Send
from scanner.sandbox.app import Scope as AsgiScope

_KEY: Final = re.compile("/v1/organization/projects/[^/]+/api_keys/[^/]+")
Misread = tuple[str, str | int]
"""The path that is read, and the response: about `another` object, the requested one with
`another id` or with `no id`, or a status."""


@dataclass(kw_only=True)
class Unruly:
    """An API that goes wrong.

    `faults` are used up one for each write, in their order: `before` and `after` hang up without an
    answer, the latter when it is done; `silent before` and `silent after` never answer at all; a
    number is the status of a refusal, or of a server that failed before (500) or after (-500).
    `misreads` are used up one for each read of their path; `another` returns the path of another
    object. Without Date are responses about a single `key`, or all `else`, if that is `undated`.
    """

    app: AsgiApp
    faults: list[str | int] = field(default_factory=list)
    misreads: list[Misread] = field(default_factory=list)
    undated: frozenset[str] = frozenset()
    another: Callable[[str], str] = lambda path: path
    asked: list[str] = field(default_factory=list)
    on_write: Callable[[str, str, Any], None] = lambda _method, _path, _body: None
    after_write: Callable[[], None] = lambda: None
    on_refusal: Callable[[], None] = lambda: None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.asked.append(f"{scope['method']} {scope['path']}")
        if scope["method"] == "GET":
            await self._read(scope, receive, send)
            return
        body, receive = await _body(receive)
        self.on_write(scope["method"], scope["path"], json.loads(body or b"null"))
        fault = self.faults.pop(0) if self.faults else ""
        await self._write(fault, scope, receive, send)
        self.after_write()

    async def _read(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if ("key" if _KEY.fullmatch(path) else "else") in self.undated:
            send = _undated(send)
        misread = next((one for one in self.misreads if one[0] == path), None)
        if misread is None:
            await self.app(scope, receive, send)
            return
        self.misreads.remove(misread)
        match misread[1]:
            case "another":
                other = self.another(path)
                there = {**scope, "path": other, "raw_path": other.encode()}
                await self.app(there, receive, send)
            case "another id":
                await self.app(scope, receive, _with_id(send, "another_id"))
            case "no id":
                await self.app(scope, receive, _with_id(send, None))
            case status:
                await self._refuse(send, int(status))

    async def _write(
        self, fault: str | int, scope: AsgiScope, receive: Receive, send: Send
    ) -> None:
        if fault in ("after", "silent after", -500):
            await self.app(scope, receive, _nowhere)
        if fault in ("silent before", "silent after"):
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault in ("before", "after"):
            await _answer(send, 200, b"", 100)  # less than was promised: the server hangs up
        elif isinstance(fault, int):
            await self._refuse(send, abs(fault))
        else:
            await self.app(scope, receive, send)

    async def _refuse(self, send: Send, status: int) -> None:
        if status == 403:
            self.on_refusal()
        error = {"message": "No.", "type": "t", "param": None, "code": None}
        body = json.dumps({"error": error}).encode()
        await _answer(send, status, body, len(body))


async def _body(receive: Receive) -> tuple[bytes, Receive]:
    """Read a request's body; return it, and a receive that returns it once more."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    left = [*messages]

    async def again() -> Message:
        return left.pop(0) if left else await receive()

    return b"".join(message["body"] for message in messages), again


def _undated(send: Send) -> Send:
    async def without(message: Message) -> None:
        headers = [one for one in message.get("headers", ()) if one[0] != b"date"]
        await send({**message, "headers": headers} if "headers" in message else message)

    return without


def _with_id(send: Send, id_: str | None) -> Send:
    """Return a send that gives the object of a response another id."""
    started: list[Message] = []

    async def altered(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
            return
        body = json.dumps(json.loads(message["body"]) | {"id": id_}).encode()
        kept = [one for one in started[0]["headers"] if one[0] != b"content-length"]
        headers = [*kept, (b"content-length", str(len(body)).encode())]
        await send({**started[0], "headers": headers})
        await send({**message, "body": body})

    return altered


async def _nowhere(_message: Any) -> None:
    """Take an answer that never arrives."""


async def _answer(send: Send, status: int, body: bytes, length: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": len(body) < length})
