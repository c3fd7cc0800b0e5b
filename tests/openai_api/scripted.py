"""A server with scripted responses, over real HTTP."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from wsgiref.handlers import format_date_time

from scanner.openai_api.client import AdminClient
from scanner.openai_api.pace import Pace
from scanner.sandbox.app import Receive, Scope, Send
from scanner.sandbox.server import serving
from scanner.secret import Secret

KEY = "sk-admin-0123456789abcdefghijklmnop"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One scripted response; a body that is not bytes is sent as JSON."""

    status: int = 200
    body: Any = field(default_factory=lambda: {"data": [], "has_more": False})
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One received request."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    method: str = "GET"
    body: Any = None


class Script:
    """Replies to each request with `answer`, and records the request."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = (await receive()).get("body", b"")
        asked = Asked(
            path=scope["path"],
            query=parse_qs(scope["query_string"].decode()),
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
            method=scope["method"],
            body=json.loads(content) if content else None,
        )
        self.asked.append(asked)
        reply = self._answer(asked)
        is_raw = isinstance(reply.body, bytes)
        content = reply.body if is_raw else json.dumps(reply.body).encode()
        told = {"date": format_date_time(time.time())}
        told |= {} if is_raw else {"content-type": "application/json"}
        headers = [(k.encode(), v.encode()) for k, v in {**told, **reply.headers}.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def in_turn(*replies: Reply) -> Callable[[Asked], Reply]:
    """Return the replies in order; the last one is repeated."""
    left = list(replies)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


class Waits:
    """A sleep that returns immediately, records its duration and advances its own clock."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def clock(self) -> float:
        """Return the time, in seconds, with all sleeps included."""
        return time.monotonic() + sum(self.seconds)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@contextmanager
def scripted(
    answer: Callable[[Asked], Reply],
) -> Iterator[tuple[Script, Callable[[], AdminClient], Waits]]:
    """Serve a script; yields it, a factory of clients for it, and the waits they requested."""
    script, waits = Script(answer), Waits()
    with serving(script) as url:
        yield (
            script,
            lambda: AdminClient(
                Secret(KEY), base_url=url, pace=Pace(4, clock=waits.clock, sleep=waits)
            ),
            waits,
        )
