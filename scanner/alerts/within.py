"""A time limit for a whole request, whatever the server sends."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class OverdueError(TimeoutError):
    """Work that was not completed in time; it may still complete."""


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return the result of `work`, or raise its exception; raise OverdueError after the limit.

    A client's own timeouts are for each read: a slow stream of bytes never exceeds them. Work
    that takes too long continues in a daemon thread, and does not delay the end of the process.
    """
    done: queue.SimpleQueue[Result | _Failed] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            done.put(_Failed(error))

    threading.Thread(target=run, daemon=True).start()
    try:
        came = done.get(timeout=seconds)
    except queue.Empty:
        raise OverdueError(f"no complete response within {seconds:g} seconds") from None
    if isinstance(came, _Failed):
        raise came.error
    return came


class _Failed:
    def __init__(self, error: Exception) -> None:
        self.error = error
