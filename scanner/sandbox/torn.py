"""Answers that break on their way: late, cut off, altered."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from scanner.sandbox.app import Message, Send


class Late:
    """Sends nothing before `at`, on the event loop's clock."""

    def __init__(self, send: Send, at: float) -> None:
        self._send = send
        self._at = at

    async def __call__(self, message: Message) -> None:
        """Send a message when it is time."""
        wait = self._at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        await self._send(message)


class Cut:
    """Sends half of a body whose whole length was announced; the server then hangs up."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send the head as it is and half of the body."""
        if message["type"] == "http.response.body":
            body = message["body"]
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await self._send(message)


class Altered:
    """Sends another body than the application gave, with its right length."""

    def __init__(self, send: Send, alter: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._alter = alter
        self._start: dict[str, Any] = {}

    async def __call__(self, message: Message) -> None:
        """Keep the head back until the body is known."""
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        body = self._alter(message["body"])
        headers = [(k, v) for k, v in self._start["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({**message, "body": body})


def lose_ids(body: bytes) -> bytes:
    """Leave the ids out: a listing without them is not what the API promises."""
    parsed = json.loads(body)
    for item in parsed.get("data", [parsed]):
        item.pop("id", None)
    return json.dumps({**parsed, "data": parsed.get("data") or [{}]}).encode()


def repeat_first(body: bytes) -> bytes:
    """Show the first item of a page twice, as when items move while they are read."""
    parsed = json.loads(body)
    if parsed.get("data"):
        parsed["data"] = [parsed["data"][0], *parsed["data"]]
    return json.dumps(parsed).encode()
