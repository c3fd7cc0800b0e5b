"""The outside world as the core sees it: small Protocols that the edges implement."""

from datetime import datetime
from typing import Protocol

from scanner.errors import ApiError
from scanner.inventory import Inventory
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


class Format(Protocol):
    """Renders a scan result; equal results render to equal text."""

    def __call__(self, result: ScanResult) -> str:
        """Return the whole document."""
        ...
