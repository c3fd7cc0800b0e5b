"""Stop a running collection on Ctrl-C, on SIGTERM, or when the lock of the scan is lost."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

import typer

from scanner.cli.console import say
from scanner.daemon.events import Level
from scanner.errors import ApiError, LockLost

Result = TypeVar("Result")
_Handler = Callable[[int, FrameType | None], Any] | int | None
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """The reaction of a scan to SIGTERM: collection stops; partial data is recorded and reported.

    The signal is handled from the start of the collection until `closed`, also repeatedly.
    """

    def __init__(self) -> None:
        self.is_told = False
        self._ends: list[Callable[[], None]] = []
        self._before: _Handler = signal.SIG_DFL

    def begun(self, end: Callable[[], None]) -> None:
        """Register a function that stops a collection; call it now if SIGTERM was received."""
        self._ends.append(end)
        if self.is_told:
            end()

    def tell(self) -> None:
        """Stop all registered collections."""
        if not self.is_told:
            self.is_told = True
            for end in self._ends:
                end()

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM after the collection: only record it."""
        self.is_told = True

    def outlast(self, before: _Handler) -> None:
        """Record SIGTERM after the collection as well; `before` is the earlier handler."""
        self._before = before
        signal.signal(signal.SIGTERM, before if before is signal.SIG_IGN else self.note)

    def closed(self) -> bool:
        """Return whether SIGTERM was received; if not, restore the earlier handler."""
        if not self.is_told and signal.getsignal(signal.SIGTERM) == self.note:
            signal.signal(signal.SIGTERM, self._before)
        return self.is_told


class Loss:
    """The lock was taken over by another scan: collection stops, its data is discarded."""

    def __init__(self) -> None:
        self._error: LockLost | None = None
        self._end: Callable[[], None] = lambda: None

    def tell(self, error: LockLost) -> None:
        """Stop the collection; thread-safe."""
        self._error = error
        self._end()

    def begun(self, end: Callable[[], None]) -> None:
        """Register a function that stops the collection; call it now if the lock is lost."""
        loop = asyncio.get_running_loop()

        def end_soon() -> None:
            with suppress(RuntimeError):  # the loop is closed: the collection has ended
                loop.call_soon_threadsafe(end)

        self._end = end_soon
        if self._error is not None:
            end()

    def check(self) -> None:
        """Raise LockLost if the lock was lost."""
        if self._error is not None:
            raise self._error


def run_until_told(work: Coroutine[Any, Any, Result], ending: Ending | None = None) -> Result:
    """Run `work`; on a signal, cancel it and exit with 128 + the signal's number.

    With an `ending`, SIGTERM stops the collection instead, unless no data was collected.
    """
    told: list[int] = []
    result: list[Result] = []

    async def run() -> None:
        _listen(told, ending)
        # Not returned: asyncio formats the whole result when it restores the SIGINT handler.
        result.append(await work)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(run())
    except ApiError:
        if ending is None or not ending.is_told:
            raise
        told.append(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            if number == signal.SIGTERM and ending is not None:
                ending.outlast(handler)
            else:
                signal.signal(number, handler)
    if told:
        say("Stopped: the scan was not finished.", level=Level.WARNING)
        raise typer.Exit(128 + told[0])
    if ending is not None and ending.is_told:
        say("Stopping: the scan continues with the data collected so far.")
    return result[0]


def _listen(told: list[int], ending: Ending | None) -> None:
    """On a signal, cancel this task and add its number to `told`; SIGTERM goes to `ending`."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        if ending is not None and number == signal.SIGTERM:
            if loop.is_closed():
                ending.note(number, frame)
            else:
                loop.call_soon_threadsafe(ending.tell)
            return
        told.append(number)
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
