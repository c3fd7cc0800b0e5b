"""How far a walk has come, on the terminal of whoever waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
)

from scanner.cli.console import err, say
from scanner.errors import ApiError


class Watcher:
    """Implements the port Progress: a bar, and a line for each retry if `is_verbose`.

    `retried` is told of each retry.
    """

    def __init__(
        self, bar: Progress, task: TaskID, retried: Callable[[], None], *, is_verbose: bool
    ) -> None:
        self.retries = 0
        self._retried = retried
        self._bar = bar
        self._task = task
        self._is_verbose = is_verbose

    def walked(self, *, projects: int, projects_done: int, keys: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, total=projects, completed=projects_done, keys=keys)

    def asks_again(self, error: ApiError, seconds: float) -> None:
        """Count the retry and, if wanted, tell it."""
        self.retries += 1
        self._retried()
        if self._is_verbose:
            say(f"{str(error).rstrip('.')}; asked again in {seconds:.1f} s")


@contextmanager
def watching(*, is_verbose: bool, retried: Callable[[], None] = lambda: None) -> Iterator[Watcher]:
    """Show how far the walk has come, the bar on a terminal's stderr only."""
    columns = (
        SpinnerColumn(),
        TextColumn("Projects"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[keys]:,} keys"),
    )
    with Progress(
        *columns, console=err, transient=True, disable=not err.is_terminal or err.is_log
    ) as bar:
        yield Watcher(bar, bar.add_task("", total=None, keys=0), retried, is_verbose=is_verbose)
