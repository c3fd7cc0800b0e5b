"""The outside world as the core sees it: small Protocols that the edges implement."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scanner.errors import ApiError
from scanner.inventory import Inventory
from scanner.lifecycle import Case, History, Night
from scanner.result import ScanResult


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return now, time-zone aware, in UTC."""
        ...


class Collector(Protocol):
    """Walks one organization."""

    def __call__(self) -> Inventory:
        """Return everything that could be seen; what could not stands in its coverage.

        Raise ApiError only if there is nothing to judge: the projects themselves cannot be listed.
        """
        ...


class Progress(Protocol):
    """Watches a walk; called from the walk's own thread, often."""

    def walked(self, *, projects: int, projects_done: int, keys: int) -> None:
        """Take note of how far the walk has come."""
        ...

    def asks_again(self, error: ApiError, seconds: float) -> None:
        """Take note that a request failed so, and is asked again after that time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to record a scan of an organization; a later one has a larger token."""

    organization: str
    holder: str
    token: int


class Past(Protocol):
    """What is remembered of the nights before. Raises StoreError if it cannot be read."""

    def cases(self, organization: str, fingerprints: Iterable[str]) -> tuple[Case, ...]:
        """Return the open cases, and of the closed ones those named."""
        ...

    def closed(self, organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        """Return the latest cases that were resolved since a moment and still are, latest first."""
        ...

    def nights(self, organization: str, limit: int) -> tuple[Night, ...]:
        """Return the latest recorded scans, oldest first."""
        ...


class Store(Past, Protocol):
    """Remembers. Every method raises StoreError if it cannot."""

    def hold(self, organization: str) -> AbstractContextManager[Lease]:
        """Keep others from scanning the organization while the context lasts.

        Raise StoreLocked, saying who scans it, if somebody does.
        """
        ...

    def record(self, lease: Lease, history: History, snapshot: bytes) -> None:
        """Record tonight, whole or not at all; refuse if another scan has taken over."""
        ...


class Format(Protocol):
    """Renders a scan result; equal results render to equal text."""

    def __call__(self, result: ScanResult) -> str:
        """Return the whole document."""
        ...
