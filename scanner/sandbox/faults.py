"""Injected faults: the same seed causes the same faults for the same requests."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from scanner.sandbox.torn import Altered, Cut, Late, lose_ids, repeat_first

EVERYWHERE: Final = "*"


class Fault(StrEnum):
    """A kind of request failure."""

    ERROR_500 = "500"
    ERROR_502 = "502"
    RESET = "reset"
    CUT = "cut"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of requests, and their probabilities.

    `fail` is the probability of one of `kinds`; `rate` the requests per second above which 429 is
    returned; `stall` the probability that no response is sent; `drift` that a page repeats the
    item before its cursor; `is_denied`: always 403. `latency`, in seconds, counts from the
    request's arrival.
    """

    seed: int = 0
    latency: float = 0.0
    rate: float | None = None
    fail: float = 0.0
    kinds: tuple[Fault, ...] = tuple(Fault)
    stall: float = 0.0
    drift: float = 0.0
    is_denied: bool = False


class FaultyApp:
    """Wraps an application with faults.

    `faults` are by the listing's path segment, such as `users` or `usage`; `EVERYWHERE` has the
    faults of all others.
    """

    def __init__(
        self,
        app: AsgiApp,
        faults: Mapping[str, Faults],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._attempts: Counter[str] = Counter()
        every = {EVERYWHERE: Faults(), **faults}
        self._limits = {listing: _Limit(its, clock) for listing, its in every.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or fail as determined by the seed."""
        limit = self._limit_of(scope)
        faults = limit.faults
        if faults.is_denied:
            await _refuse(send, 403, "Missing scopes: api.management.read.")
            return
        wait = limit.take()
        if wait is not None:
            header = (b"retry-after-ms", str(round(wait * 1000)).encode())
            await _refuse(send, 429, "Rate limit reached.", header)
            return
        if faults.latency:
            send = Late(send, asyncio.get_running_loop().time() + faults.latency)
        chance = self._chance(scope, faults.seed)
        if chance.random() < faults.fail:
            await self._fail(chance.choice(faults.kinds), scope, receive, send)
        elif chance.random() < faults.stall:
            while (await receive())["type"] != "http.disconnect":
                pass
        elif chance.random() < faults.drift:
            await self._app(scope, receive, Altered(send, repeat_first))
        else:
            await self._app(scope, receive, send)

    def _limit_of(self, scope: Scope) -> "_Limit":
        last = reversed(str(scope["path"]).split("/")[-2:])
        name = next((name for name in last if name in self._limits), EVERYWHERE)
        return self._limits[name]

    def _chance(self, scope: Scope, seed: int) -> random.Random:
        """Return a generator seeded by the request and its attempts, so that retries differ."""
        request = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}"
        self._attempts[request] += 1
        return random.Random(f"{seed} {request} {self._attempts[request]}")  # noqa: S311

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault:
            case Fault.ERROR_500:
                await _refuse(send, 500, "The server had an error.")
            case Fault.ERROR_502:
                await _send(send, 502, b"<html>Bad gateway</html>", [])
            case Fault.RESET:
                await _send(send, 200, b"", [(b"content-length", b"100")])
            case Fault.CUT:
                await self._app(scope, receive, Cut(send))
            case Fault.TRUNCATED:
                await self._app(scope, receive, Altered(send, lambda body: body[: len(body) // 2]))
            case Fault.MALFORMED:
                await self._app(scope, receive, Altered(send, lose_ids))


class _Limit:
    """The faults of some requests, and a token bucket for their rate."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self.faults = faults
        self._clock = clock
        self._tokens = faults.rate or 0.0
        self._filled_at = clock()

    def take(self) -> float | None:
        """Take a token; if none is left, return the seconds until the next one."""
        rate = self.faults.rate
        if rate is None:
            return None
        now = self._clock()
        self._tokens = min(rate, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return None


async def _refuse(send: Send, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
    kind = "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004
    error = {"message": message, "type": kind, "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    json_type = (b"content-type", b"application/json")
    await _send(send, status, body, [json_type, *headers])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send a response; if content-length exceeds the body, the server closes the connection."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    is_short = any(name == b"content-length" for name, _ in headers)
    await send({"type": "http.response.body", "body": body, "more_body": is_short})
