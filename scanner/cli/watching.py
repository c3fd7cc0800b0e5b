"""The progress of a collection, on the terminal."""

from collections.abc import Callable, Iterator, Sequence
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
from scanner.display import visible
from scanner.errors import ApiError


class Watcher:
    """Implements the port Progress: a bar, and a line for each retry if `is_verbose`.

    `retried` is called for each retry. `name` is the organization's, if several are collected.
    """

    def __init__(
        self,
        bar: Progress,
        task: TaskID,
        retried: Callable[[], None],
        *,
        is_verbose: bool,
        name: str = "",
    ) -> None:
        self._of = f"{name}: " if name else ""
        self.retries = 0
        self._retried = retried
        self._bar = bar
        self._task = task
        self._is_verbose = is_verbose

    def walked(self, *, projects: int, projects_done: int, keys: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, total=projects, completed=projects_done, keys=keys)

    def asks_again(self, error: ApiError, seconds: float) -> None:
        """Count the retry, and print it if verbose."""
        self.retries += 1
        self._retried()
        if self._is_verbose:
            say(f"{self._of}{str(error).rstrip('.')}; retrying in {seconds:.1f} s")


@contextmanager
def watching(*, is_verbose: bool, retried: Callable[[], None] = lambda: None) -> Iterator[Watcher]:
    """Show the progress of a collection; the bar only if stderr is a terminal."""
    with _bar() as bar:
        yield Watcher(bar, _task(bar, "Projects"), retried, is_verbose=is_verbose)


@contextmanager
def watching_each(
    walks: Sequence[tuple[str, Callable[[], None]]], *, is_verbose: bool
) -> Iterator[Sequence[Watcher]]:
    """Show the progress of concurrent collections, given the name and retry callback of each."""
    with _bar() as bar:
        yield [
            Watcher(bar, _task(bar, visible(name)), retried, is_verbose=is_verbose, name=name)
            for name, retried in walks
        ]


def _bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[keys]:,} keys"),
    )
    is_off = not err.is_terminal or err.is_log or err.is_terse
    return Progress(*columns, console=err, transient=True, disable=is_off)


def _task(bar: Progress, heading: str) -> TaskID:
    return bar.add_task(heading, total=None, keys=0)
