"""Checks the history's clocks and dates at the start, after each run and every ten minutes."""

import threading
from collections.abc import Callable
from typing import Final

from scanner.daemon.events import Level, Log
from scanner.daemon.metrics import Metrics

_PAUSE: Final = 600.0
"""Seconds."""


class ClockWatch:
    """Runs `check` in its own thread and keeps its result: problems, None if unknown."""

    def __init__(
        self, check: Callable[[], tuple[str, ...] | None], metrics: Metrics, log: Log
    ) -> None:
        self.problems: tuple[str, ...] | None = None
        self._check, self._metrics, self._log = check, metrics, log
        self._due = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="keyvigil-clocks", daemon=True)

    def start(self) -> None:
        """Start the periodic checks, the first one immediately."""
        self._thread.start()

    def check_soon(self) -> None:
        """Run the next check immediately."""
        self._due.set()

    def stop(self) -> None:
        """Stop the checks; wait for a running one."""
        self._is_stopping = True
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._due.clear()
            if self._is_stopping:
                return
            try:
                found = self._check()
            except OSError as error:  # a process cannot be started
                self._log(Level.WARNING, "clocks_unchecked", reason=error)
                found = None
            self._note(found)
            self._due.wait(_PAUSE)

    def _note(self, found: tuple[str, ...] | None) -> None:
        before, self.problems = self.problems or (), found
        self._metrics.clocks(None if found is None else len(found))
        for problem in found or ():
            if problem not in before:
                self._log(Level.WARNING, "clock_problem", problem=problem)
        if before and found == ():
            self._log(Level.INFO, "clocks_agree")
