"""What ends a walk: Ctrl-C cancels it; SIGTERM ends a scan's, a lost lock its own; none is lost."""

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
    """SIGTERM as a scan takes it: the walk ends, and what was seen is recorded and reported.

    From the walk's beginning to `closed` it is noted, however often it comes.
    """

    def __init__(self) -> None:
        self.is_told = False
        self._ends: list[Callable[[], None]] = []
        self._before: _Handler = signal.SIG_DFL

    def begun(self, end: Callable[[], None]) -> None:
        """Take what ends a walk, of one or several; end it at once if that was told already."""
        self._ends.append(end)
        if self.is_told:
            end()

    def tell(self) -> None:
        """End the walk."""
        if not self.is_told:
            self.is_told = True
            for end in self._ends:
                end()

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Take note, after the walk."""
        self.is_told = True

    def outlast(self, before: _Handler) -> None:
        """Go on noting after the walk; `before` is who was told until it began."""
        self._before = before
        signal.signal(signal.SIGTERM, before if before is signal.SIG_IGN else self.note)

    def closed(self) -> bool:
        """Return whether the signal came; if not, give it back to who had it."""
        if not self.is_told and signal.getsignal(signal.SIGTERM) == self.note:
            signal.signal(signal.SIGTERM, self._before)
        return self.is_told


class Loss:
    """Another scan's taking over the lock: the walk ends, and what it saw is nobody's."""

    def __init__(self) -> None:
        self._error: LockLost | None = None
        self._end: Callable[[], None] = lambda: None

    def tell(self, error: LockLost) -> None:
        """End the walk; from any thread."""
        self._error = error
        self._end()

    def begun(self, end: Callable[[], None]) -> None:
        """Take what ends the walk of the loop that runs; end it at once if that was told before."""
        loop = asyncio.get_running_loop()

        def end_soon() -> None:
            with suppress(RuntimeError):  # the loop is closed: the walk has ended
                loop.call_soon_threadsafe(end)

        self._end = end_soon
        if self._error is not None:
            end()

    def check(self) -> None:
        """Raise LockLost if it was told."""
        if self._error is not None:
            raise self._error


def run_until_told(work: Coroutine[Any, Any, Result], ending: Ending | None = None) -> Result:
    """Run `work` to its end; told to stop, cancel it, and exit 128 + the signal's number.

    With an `ending`, SIGTERM ends it sooner instead, unless nothing at all was seen.
    """
    told: list[int] = []
    result: list[Result] = []

    async def run() -> None:
        _listen(told, ending)
        # Not returned: asyncio would spell the whole result out when it puts SIGINT's handler back.
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
        say("Told to stop: the scan ends with what it saw until now.")
    return result[0]


def _listen(told: list[int], ending: Ending | None) -> None:
    """Let the signals cancel this task, and be noted in `told`; SIGTERM goes to the `ending`."""
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
