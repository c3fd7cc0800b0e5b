"""A webhook's receiver: answers as it is told, and remembers what it was sent."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, cast

from scanner.sandbox.app import Receive, Scope, Send
from tests.factories import NOW


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status with headers; `resets`: the connection is cut instead, after all was read."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    resets: bool = False


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: str = ""


class Receiver:
    """An ASGI application; `answers` are given in turn, then 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[Answer] = deque()

    def play(self, *answers: Answer) -> None:
        """Forget what was, and answer so from now on."""
        self.received.clear()
        self.answers = deque(answers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        body, is_more = b"", True
        while is_more:
            message = await receive()
            body += message.get("body", b"")
            is_more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append(
            Received(
                method=scope["method"],
                path=scope["path"],
                headers=headers,
                body=body,
                query=scope["query_string"].decode(),
            )
        )
        answer = self.answers.popleft() if self.answers else Answer()
        if answer.resets:
            # ASGI cannot hang up without an answer; uvicorn's connection can.
            cast(Any, receive).__self__.transport.abort()
            await receive()
            return
        told = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": told})
        await send({"type": "http.response.body", "body": answer.body})


class Frozen(datetime):
    """The clock of the standard's reader, which takes nothing older than five minutes."""

    at = NOW

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Frozen":
        return cls.fromtimestamp(cls.at.timestamp(), tz)
