"""How far apart requests must start to keep a rate that the API enforces but does not publish."""

from typing import Final

_FASTEST: Final = 2000.0
_SLOWEST: Final = 1.0
"""Requests a second; the fastest lets a refusal be heard before the next dozen has left."""
_BELOW: Final = 0.97
"""Where to go on after a refusal, as a share of the rate that was let through."""
_GROWTH: Final = 1000
"""Requests without a refusal after which the rate has doubled: slowly first, then ever faster."""
_GROWTH_TIME: Final = (20.0, 120.0)
"""Seconds; the shortest and the longest that this may take."""
_UNPROVEN: Final = 3.0
"""Seconds; how long it takes while the rate is but a guess."""
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
        self._doubling = _UNPROVEN
        self._refused_at = now
        self._counting_since = now
        self._count = 0

    def started(self, now: float) -> None:
        """Note that a request starts: the next one must wait. A late one is not made good."""
        self._count += 1
        self.next_start = max(self.next_start + 1 / self.rate(now), now)

    def refused(self, now: float, *, is_first: bool) -> None:
        """Note a refusal; the first of a burst sets the rate to what was let through until now."""
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
        """Return how many requests may start in a second now."""
        grown = self._rate * (_BELOW + ((now - self._refused_at) / self._doubling) ** 2)
        return min(grown, _FASTEST)

    def _doubling_time(self) -> float:
        shortest, longest = _GROWTH_TIME
        return min(max(shortest, _GROWTH / self._rate), longest)
