"""A limit for the whole time that a server may take."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class OverdueError(TimeoutError):
    """Work that was not done within its time, and may still be done."""


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what `work` does, or raise what it raises; OverdueError once its time is over.

    A client's own limits are for each read: who sends a byte now and then never meets them. Work
    that takes too long goes on unheeded, and holds no process up that ends.
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
