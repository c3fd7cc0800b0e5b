"""Waiting for events that must come: a long limit costs nothing when all is well."""

import time
from collections.abc import Callable

PATIENCE = 180.0
"""Seconds that an event may take on a machine with much else to do."""


def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail if it does not within PATIENCE."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, "the awaited event did not come"
        time.sleep(0.02)
