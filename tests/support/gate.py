"""An API that can be held back, and that reports who came."""

import asyncio
import threading
from collections.abc import Callable

from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from tests.support.waiting import PATIENCE


class Gate:
    """Another application; requests whose path ends with `listing` wait until it is opened."""

    def __init__(self, app: AsgiApp, listing: str) -> None:
        self._app, self._listing = app, listing
        self._reached = threading.Event()
        self._opened = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait(self) -> None:
        """Wait until such a request has come."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Let all pass, from now on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._opened.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["path"]).endswith(self._listing):
            self._loop = asyncio.get_running_loop()
            self._reached.set()
            await self._opened.wait()
        await self._app(scope, receive, send)


class Before:
    """Another application; `act` is called before each request is answered, with its number."""

    def __init__(self, app: AsgiApp, act: Callable[[int], None]) -> None:
        self._app, self._act = app, act
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._requests += 1
        await asyncio.to_thread(self._act, self._requests)
        await self._app(scope, receive, send)
