"""The interval between request starts that keeps to the API's unpublished rate limit."""

from typing import Final

_FASTEST: Final = 2000.0
_SLOWEST: Final = 1.0
"""Requests per second; at the fastest, a refusal arrives before a dozen more requests start."""
_BELOW: Final = 0.97
"""The rate after a refusal, as a share of the rate that the API accepted."""
_GROWTH: Final = 1000
"""Requests without a refusal that double the rate: it grows slowly first, then faster."""
_GROWTH_TIME: Final = (20.0, 120.0)
"""Seconds; the shortest and the longest time in which the rate doubles."""
_UNPROVEN: Final = 3.0
"""Seconds in which the rate doubles while it is only an estimate."""
_ENOUGH: Final = 25
"""The number of requests that makes a count statistically reliable."""


class Spacing:
    """Unlimited until the first refusal; then the rate that the API was observed to accept.

    Between two refusals the API accepts exactly its limit, so the limit can be counted. All
    times are in seconds on one clock.
    """

    def __init__(self, now: float) -> None:
        self.next_start = now
        self._rate = _FASTEST
        self._doubling = _UNPROVEN
        self._refused_at = now
        self._counting_since = now
        self._count = 0

    def started(self, now: float) -> None:
        """Record that a request starts and delay the next. Late starts are not caught up."""
        self._count += 1
        self.next_start = max(self.next_start + 1 / self.rate(now), now)

    def refused(self, now: float, *, is_first: bool) -> None:
        """Record a refusal; the first of a burst sets the rate to the rate accepted so far."""
        self._count -= 1
        if not is_first:
            return
        before = self.rate(now)
        counted = self._count / max(now - self._counting_since, 1 / _FASTEST)
        is_proven = self._count >= _ENOUGH
        if is_proven:
            self._counting_since, self._count = now, 0
        else:
            counted = max(counted, before / 2)
        self._rate = max(_SLOWEST, min(counted, before))
        self._doubling = self._doubling_time() if is_proven else _UNPROVEN
        self._refused_at = now

    def rate(self, now: float) -> float:
        """Return how many requests per second may start now."""
        grown = self._rate * (_BELOW + ((now - self._refused_at) / self._doubling) ** 2)
        return min(grown, _FASTEST)

    def _doubling_time(self) -> float:
        shortest, longest = _GROWTH_TIME
        return min(max(shortest, _GROWTH / self._rate), longest)
