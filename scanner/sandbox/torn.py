"""Broken responses: late, truncated or altered."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from scanner.sandbox.app import Message, Send


class Late:
    """Delays a response until `at`, on the event loop's clock."""

    def __init__(self, send: Send, at: float) -> None:
        self._send = send
        self._at = at

    async def __call__(self, message: Message) -> None:
        """Send a message, not before `at`."""
        wait = self._at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        await self._send(message)


class Cut:
    """Sends half of a body with its full content-length; the server then closes the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send the head unchanged and half of the body."""
        if message["type"] == "http.response.body":
            body = message["body"]
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await self._send(message)


class Altered:
    """Sends another body than the application's, with the correct length."""

    def __init__(self, send: Send, alter: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._alter = alter
        self._start: dict[str, Any] = {}

    async def __call__(self, message: Message) -> None:
        """Hold the head back until the body is complete."""
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        body = self._alter(message["body"])
        headers = [(k, v) for k, v in self._start["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({**message, "body": body})


def lose_ids(body: bytes) -> bytes:
    """Remove the ids, which violates the API's specification."""
    parsed = json.loads(body)
    for item in parsed.get("data", [parsed]):
        item.pop("id", None)
    return json.dumps({**parsed, "data": parsed.get("data") or [{}]}).encode()


def repeat_first(body: bytes) -> bytes:
    """Repeat the first item of a page, as when items move while they are read."""
    parsed = json.loads(body)
    if parsed.get("data"):
        parsed["data"] = [parsed["data"][0], *parsed["data"]]
    return json.dumps(parsed).encode()
