"""Which responses to retry, and how long to wait first. Pure functions.

The rules are the official SDK's: 408, 409, 429 and 5xx; `x-should-retry` overrides the status;
`retry-after-ms` beats `retry-after`, which is seconds or an HTTP date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

_WORTH_ASKING_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Number of attempts and waits between them; all times in seconds."""

    tries: int = 6
    first_wait: float = 0.5
    longest_wait: float = 8.0
    longest_asked_for: float = 60.0

    def wait(self, attempt: int, asked_for: float | None, jitter: float) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 0).

        `asked_for` is the wait that the API requested; `jitter` is random in [0, 1).
        """
        if asked_for is not None:
            return min(asked_for, self.longest_asked_for)
        return float(min(self.first_wait * 2**attempt, self.longest_wait)) * jitter


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether to retry a read request that received this response."""
    told = headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    return status in _WORTH_ASKING_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait in seconds that the API requested; None without a valid one."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (OverflowError, TypeError, ValueError):
        return None


def told_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the time in a response's Date header; None without a valid one."""
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except (OverflowError, TypeError, ValueError):
        return None
    return told if told.tzinfo else None


def _number(text: str | None) -> float | None:
    """Read a plain non-negative decimal: not `nan`, `inf` or `1e9`."""
    if text is None or len(text) > 12 or not text.strip().replace(".", "", 1).isdecimal():  # noqa: PLR2004 - longer is not a wait
        return None
    return float(text.strip())
