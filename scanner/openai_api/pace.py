"""How fast to ask: one controller for the whole walk, so that one 429 holds everybody back."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

_START: Final = 8
_FREE_RETRIES: Final = 64
_RETRIES_PER_SUCCESS: Final = 0.5


class Pace:
    """Limits how many requests are under way, how often they may fail, and for how long.

    The limit starts at 8, doubles while all is well up to `ceiling` and halves on overload.
    `deadline` is in seconds from now; None is never.
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
        self._successes_in_a_row = 0
        self._retries_left = float(_FREE_RETRIES)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self._ends_at is not None and self._clock() >= self._ends_at

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free place and for the end of any pause; give the place back afterwards."""
        await self._take_place()
        try:
            yield
        finally:
            self._under_way -= 1
            self._wake()

    def went_well(self) -> None:
        """Note a success: after a whole round of them, twice as many may be under way."""
        self._retries_left += _RETRIES_PER_SUCCESS
        self._successes_in_a_row += 1
        if self._successes_in_a_row >= self.limit < self._ceiling:
            self.limit = min(self.limit * 2, self._ceiling)
            self._successes_in_a_row = 0
            self._wake()

    def overloaded(self, pause: float) -> None:
        """Note that the API asked for less: all wait `pause` seconds, then half as many go on."""
        now = self._clock()
        if now >= self._resume_at:  # one burst of refusals counts once
            self.limit = max(1, self.limit // 2)
        self._resume_at = max(self._resume_at, now + pause)
        self._successes_in_a_row = 0

    async def rest(self, seconds: float) -> None:
        """Wait, alone: what went wrong is no reason for others to wait."""
        await self._sleep(seconds)

    def may_retry(self) -> bool:
        """Take one retry from the budget: a broken API must not be asked for ever."""
        if self._retries_left < 1:
            return False
        self._retries_left -= 1
        return True

    async def _take_place(self) -> None:
        while True:
            await self._pause()
            if self._under_way < self.limit:
                self._under_way += 1
                return
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise

    async def _pause(self) -> None:
        """Wait until the latest pause is over, each a little differently."""
        waited_for = None
        while self._resume_at > self._clock() and self._resume_at != waited_for:
            waited_for = self._resume_at
            spread = 1 + random.random() / 4  # noqa: S311 - spreads waits, protects nothing
            await self._sleep((waited_for - self._clock()) * spread)

    def _wake(self) -> None:
        free = self.limit - self._under_way
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
