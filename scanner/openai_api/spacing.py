"""How far apart requests must start to keep a rate that the API enforces but does not publish."""

from typing import Final

_FASTEST: Final = 1000.0
_SLOWEST: Final = 1.0
"""Requests a second; the fastest lets a refusal be heard before the next dozen has left."""
_BELOW: Final = 0.97
"""Where to go on after a refusal, as a share of the rate that was let through."""
_GROWTH: Final = 1000
"""Requests without a refusal after which the rate has doubled: slowly first, then ever faster."""
_GROWTH_TIME: Final = (20.0, 120.0)
"""Seconds; the shortest and the longest that this may take."""
_LATE: Final = 0.002
"""Seconds that are made good to those who start later than they might: timers are coarse."""
_ENOUGH: Final = 25
"""Requests from which on a count is no matter of chance."""


class Spacing:
    """As fast as can be until the first refusal; then as fast as the API was seen to allow.

    Between two refusals the API lets through exactly its rate, so that counting tells it. All
    times are in seconds on one clock.
    """

    def __init__(self, now: float) -> None:
        self.next_start = now
        self._rate = _FASTEST
        self._refused_at = now
        self._counting_since = now
        self._count = 0

    def started(self, now: float) -> None:
        """Note that a request starts: the next one must wait."""
        self._count += 1
        self.next_start = max(self.next_start + 1 / self.rate(now), now - _LATE)

    def refused(self, now: float, *, is_first: bool) -> None:
        """Note a refusal; the first of a burst sets the rate to what was let through until now."""
        self._count -= 1
        if not is_first:
            return
        before = self.rate(now)
        counted = self._count / max(now - self._counting_since, 1 / _FASTEST)
        if self._count >= _ENOUGH:
            self._counting_since, self._count = now, 0
        else:
            counted = max(counted, before / 2)
        self._rate = max(_SLOWEST, min(counted, before))
        self._refused_at = now

    def rate(self, now: float) -> float:
        """Return how many requests may start in a second now."""
        shortest, longest = _GROWTH_TIME
        doubling = min(max(shortest, _GROWTH / self._rate), longest)
        grown = self._rate * (_BELOW + ((now - self._refused_at) / doubling) ** 2)
        return min(grown, _FASTEST)
