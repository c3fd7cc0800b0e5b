"""What goes wrong on purpose: the same seed gives the same faults to the same requests."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scanner.sandbox.app import AsgiApp, Message, Receive, Scope, Send


class Fault(StrEnum):
    """One way in which a request can fail."""

    ERROR_500 = "500"
    ERROR_502 = "502"
    RESET = "reset"
    CUT = "cut"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often and how requests fail.

    `fail` is the probability of one of `kinds`; `rate` the requests a second beyond which 429 is
    answered; `drift` the probability that a page repeats the item before its cursor; `deny` the
    listings by their path segments, such as `users` or `usage`, that are answered 403; `latency`
    is in seconds.
    """

    seed: int = 0
    latency: float = 0.0
    rate: float | None = None
    fail: float = 0.0
    kinds: tuple[Fault, ...] = tuple(Fault)
    drift: float = 0.0
    deny: frozenset[str] = frozenset()


class FaultyApp:
    """Another application, as it would be on a bad night."""

    def __init__(
        self, app: AsgiApp, faults: Faults, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._tokens = faults.rate or 0.0
        self._filled_at = clock()
        self._attempts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail as the seed has it."""
        faults = self._faults
        if faults.deny.intersection(str(scope["path"]).split("/")[-2:]):
            await _refuse(send, 403, "Missing scopes: api.management.read.")
            return
        wait = self._over_rate()
        if wait is not None:
            header = (b"retry-after-ms", str(round(wait * 1000)).encode())
            await _refuse(send, 429, "Rate limit reached.", header)
            return
        if faults.latency:
            await asyncio.sleep(faults.latency)
        chance = self._chance(scope)
        if chance.random() < faults.fail:
            await self._fail(chance.choice(faults.kinds), scope, receive, send)
        elif chance.random() < faults.drift:
            await self._app(scope, receive, _Altered(send, _repeat_first))
        else:
            await self._app(scope, receive, send)

    def _chance(self, scope: Scope) -> random.Random:
        """Draw for this request and its number among equal ones: a retry draws anew."""
        request = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}"
        self._attempts[request] += 1
        return random.Random(f"{self._faults.seed} {request} {self._attempts[request]}")  # noqa: S311

    def _over_rate(self) -> float | None:
        """Take a token; return how long the next one takes, in seconds, if there is none."""
        rate = self._faults.rate
        if rate is None:
            return None
        now = self._clock()
        self._tokens = min(rate, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return None

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault:
            case Fault.ERROR_500:
                await _refuse(send, 500, "The server had an error.")
            case Fault.ERROR_502:
                await _send(send, 502, b"<html>Bad gateway</html>", [])
            case Fault.RESET:
                await _send(send, 200, b"", [(b"content-length", b"100")])
            case Fault.CUT:
                await self._app(scope, receive, _Cut(send))
            case Fault.TRUNCATED:
                await self._app(scope, receive, _Altered(send, lambda body: body[: len(body) // 2]))
            case Fault.MALFORMED:
                await self._app(scope, receive, _Altered(send, _lose_ids))


class _Cut:
    """Sends half of a body whose whole length was announced; the server then hangs up."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message["body"]
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await self._send(message)


class _Altered:
    """Sends another body than the application gave, with its right length."""

    def __init__(self, send: Send, alter: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._alter = alter
        self._start: dict[str, Any] = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        body = self._alter(message["body"])
        headers = [(k, v) for k, v in self._start["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({**message, "body": body})


def _lose_ids(body: bytes) -> bytes:
    """Leave the ids out: a listing without them is not what the API promises."""
    parsed = json.loads(body)
    for item in parsed.get("data", [parsed]):
        item.pop("id", None)
    return json.dumps({**parsed, "data": parsed.get("data") or [{}]}).encode()


def _repeat_first(body: bytes) -> bytes:
    """Show the first item of a page twice, as when items move while they are read."""
    parsed = json.loads(body)
    if parsed.get("data"):
        parsed["data"] = [parsed["data"][0], *parsed["data"]]
    return json.dumps(parsed).encode()


async def _refuse(send: Send, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
    kind = "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004
    error = {"message": message, "type": kind, "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    json_type = (b"content-type", b"application/json")
    await _send(send, status, body, [json_type, *headers])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send an answer; with a content-length of more than the body, the server hangs up."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    is_short = any(name == b"content-length" for name, _ in headers)
    await send({"type": "http.response.body", "body": body, "more_body": is_short})
