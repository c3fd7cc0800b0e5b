"""Told to stop: Ctrl-C and SIGTERM end a running walk in order, and are never lost."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

import typer

from scanner.cli.console import say
from scanner.cli.log_lines import Level

Result = TypeVar("Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_told(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end; told to stop, cancel it, and exit 128 + the signal's number."""
    told: list[int] = []
    result: list[Result] = []

    async def run() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop(number: int, _frame: FrameType | None) -> None:
            told.append(number)
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, stop)
        # Not returned: asyncio would spell the whole result out when it puts SIGINT's handler back.
        result.append(await work)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(run())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        say("Stopped: the scan was not finished.", level=Level.WARNING)
        raise typer.Exit(128 + told[0])
    return result[0]
