"""A webhook's receiver: answers as it is told, and remembers what it was sent."""

import socketserver
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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


HEADERS = (b"HTTP/1.1 200 OK\r\n", b"x-name: value\r\n")
BODY = (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", b" ")
GREETING = (b"", b"220-hello\r\n")
"""What a slow server sends at once, and what again and again."""


@contextmanager
def trickling(start: bytes = HEADERS[0], piece: bytes = HEADERS[1]) -> Iterator[str]:
    """Serve answers that come piece by piece, slowly, for ten seconds; yields where."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if start:  # a server of HTTP; one of mail begins
                    self.request.recv(65_536)
                self.request.sendall(start)
                for _ in range(100):
                    self.request.sendall(piece)
                    if self.server.over.wait(0.1):  # type: ignore[attr-defined]
                        return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        over = threading.Event()

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.over.set()
            server.shutdown()
