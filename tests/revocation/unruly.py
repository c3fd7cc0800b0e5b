"""An API whose writes go wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scanner.sandbox.app import AsgiApp, Receive, Send
from scanner.sandbox.app import Scope as AsgiScope


@dataclass(kw_only=True)
class Unruly:
    """An API whose writes go wrong: `faults` are used up one for each write, in their order.

    `before` and `after` hang up without an answer, the latter when it is done; `silent before` and
    `silent after` never answer at all; a number is the status of a refusal, or of a server that
    failed before (500) or after (-500). So many keys that are read, one by one, are `unseen`: the
    server fails.
    """

    app: AsgiApp
    faults: list[str | int] = field(default_factory=list)
    unseen: int = 0
    asked: list[str] = field(default_factory=list)
    on_write: Callable[[str, str], None] = lambda _method, _path: None
    after_write: Callable[[], None] = lambda: None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.asked.append(f"{scope['method']} {scope['path']}")
        if scope["method"] == "GET":
            if self.unseen and "/api_keys/" in scope["path"]:
                self.unseen -= 1
                await _answer(send, 500, b"{}", 2)
            else:
                await self.app(scope, receive, send)
            return
        self.on_write(scope["method"], scope["path"])
        fault = self.faults.pop(0) if self.faults else ""
        await self._write(fault, scope, receive, send)
        self.after_write()

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
            body = json.dumps(
                {"error": {"message": "No.", "type": "t", "param": None, "code": None}}
            )
            await _answer(send, abs(fault), body.encode(), len(body))
        else:
            await self.app(scope, receive, send)


async def _nowhere(_message: Any) -> None:
    """Take an answer that never arrives."""


async def _answer(send: Send, status: int, body: bytes, length: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": len(body) < length})
