"""Request pacing: one controller for the whole scan, so that one 429 slows all requests."""

import asyncio
import random
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from scanner.openai_api.spacing import Spacing

_START: Final = 8
_GROWTH: Final = 4
_FREE_RETRIES: Final = 64
_RETRIES_PER_SUCCESS: Final = 0.5

_Queue = deque[asyncio.Future[None]]


class Pace:
    """Limits the parallel requests, their start rate, their retries and the total time.

    The parallel limit starts at 8, grows by four per success up to `ceiling`, halves on overload.
    `deadline` is in seconds from now; None means no deadline.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.limit = min(_START, ceiling)
        self._ceiling = ceiling
        self._clock = clock
        self._sleep = sleep
        self._ends_at = None if deadline is None else clock() + deadline
        self._resume_at = clock()
        self._retries_left = float(_FREE_RETRIES)
        self._under_way = 0
        self._first: _Queue = deque()
        self._later: _Queue = deque()
        self._gate = asyncio.Lock()
        self._spacing = Spacing(clock())
        self.was_told_to_end = False
        self._pauses: set[asyncio.Timeout] = set()
        self._turns: set[asyncio.Timeout] = set()

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self._ends_at is not None and self._clock() >= self._ends_at

    def end(self, patience: float) -> None:
        """Set the deadline to now: waits end and no request starts.

        Active requests have `patience` seconds left, then raise TimeoutError.
        """
        self.was_told_to_end = True
        self._ends_at = self._clock()
        self.limit = sys.maxsize
        self._wake()
        now = asyncio.get_running_loop().time()
        for pause in self._pauses:
            pause.reschedule(now)
        for turn in self._turns:
            turn.reschedule(now + patience)

    @asynccontextmanager
    async def turn(self, *, first: bool = False) -> AsyncIterator[None]:
        """Wait for a free slot and for the start time; release the slot afterwards.

        `first`: before all other waiting requests, for a request that others depend on.
        """
        await self._take_place(self._first if first else self._later)
        try:
            await self._start()
            async with _noted(self._turns):
                yield
        finally:
            self._under_way -= 1
            self._wake()

    def went_well(self) -> None:
        """Record a success: raise the parallel limit by four."""
        self._retries_left += _RETRIES_PER_SUCCESS
        if self.limit < self._ceiling:
            self.limit = min(self.limit + _GROWTH, self._ceiling)
            self._wake()

    def overloaded(self, pause: float, *, is_rate: bool) -> None:
        """Record an overload: all requests pause for `pause` seconds; the parallel limit halves.

        `is_rate`: the API enforced a rate limit, which later requests then keep to.
        """
        now = self._clock()
        is_first = now >= self._resume_at  # one burst of refusals counts once
        if is_first:
            self.limit = max(1, self.limit // 2)
        if is_rate:
            self._spacing.refused(now, is_first=is_first)
        spread = 1 + random.random() / 4  # noqa: S311 - spreads waits, not for security
        self._resume_at = max(self._resume_at, now + pause * spread)

    async def rest(self, seconds: float) -> None:
        """Wait before a retry without delaying other requests."""
        await self._pause(seconds)

    def may_retry(self) -> bool:
        """Take one retry from the budget, which ends the retries against a failing API."""
        if self._retries_left < 1:
            return False
        self._retries_left -= 1
        return True

    async def _take_place(self, queue: _Queue) -> None:
        while self._under_way >= self.limit:
            place = asyncio.get_running_loop().create_future()
            queue.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise
        self._under_way += 1

    async def _start(self) -> None:
        """Wait, one request at a time, for the end of a pause and of the start interval."""
        async with self._gate:
            while not self.was_told_to_end and (wait := self._next_start() - self._clock()) > 0:
                await self._pause(wait)
            self._spacing.started(self._clock())

    def _next_start(self) -> float:
        return max(self._resume_at, self._spacing.next_start)

    async def _pause(self, seconds: float) -> None:
        """Sleep until the time is over or `end` was called."""
        if not self.was_told_to_end:
            with suppress(TimeoutError):
                async with _noted(self._pauses):
                    await self._sleep(seconds)

    def _wake(self) -> None:
        free = self.limit - self._under_way
        while free > 0 and (queue := self._first or self._later):
            place = queue.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1


@asynccontextmanager
async def _noted(timers: set[asyncio.Timeout]) -> AsyncIterator[None]:
    """Keep a timer in `timers` while the context lasts, so that `end` can reschedule it."""
    async with asyncio.timeout(None) as timer:
        timers.add(timer)
        try:
            yield
        finally:
            timers.discard(timer)
