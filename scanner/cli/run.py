"""Running a scan under a command: progress, interruption, outputs, exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from scanner.cli.console import ExitCode, err, out, say, show_error, write_document
from scanner.cli.stopping import run_until_told
from scanner.cli.summary import print_summary
from scanner.errors import OutputError
from scanner.finding import ScanResult, Severity
from scanner.formats.files import write_whole
from scanner.formats.registry import FORMATS
from scanner.formats.snapshot import Snapshot, read_snapshot, render_snapshot
from scanner.inventory import Inventory
from scanner.policy.model import Policy
from scanner.ports import Clock, Collector
from scanner.ports import Progress as ProgressPort
from scanner.scan import scan
from scanner.settings import Settings
from scanner.wiring import collect_inventory, now

Output = tuple[str, Path | None]
"""A format's name and the file to write; None is stdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an inventory comes from, and as of when it is judged."""

    collect: Collector
    clock: Clock


def live(settings: Settings) -> Source:
    """Walk the organization now."""
    return Source(collect=lambda: _collect(settings), clock=now)


def stored(path: Path) -> Source:
    """Take a snapshot's inventory as of its own moment; raise UsageError if it is none."""
    snapshot = read_snapshot(path)
    return Source(collect=lambda: snapshot.inventory, clock=lambda: snapshot.taken_at)


def scan_and_report(
    source: Source,
    policies: tuple[Policy, ...],
    outputs: tuple[Output, ...],
    snapshot: Path | None = None,
) -> ScanResult:
    """Scan, write every output, print the summary; exit 130 or 143 if told to stop before."""
    failures: list[OutputError] = []
    started_at = source.clock()

    def collect() -> Inventory:
        inventory = source.collect()
        if snapshot is not None:
            taken = Snapshot(taken_at=started_at, inventory=inventory)
            failures.extend(_deliver(render_snapshot(taken), snapshot))
        return inventory

    try:
        result = scan(collect, policies, started_at, source.clock)
        documents = [(FORMATS[name](result).encode(), path) for name, path in outputs]
        for document, path in documents:
            failures.extend(_deliver(document, path))
    except KeyboardInterrupt:
        say("Stopped: the scan was not finished.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    shows_all = any(path for _, path in outputs)
    console = err if any(path is None for _, path in outputs) else out
    print_summary(result, console, shows_all=shows_all)
    if failures:
        for failure in failures[:-1]:
            show_error(failure)
        raise failures[-1]
    return result


def _deliver(document: bytes, path: Path | None) -> list[OutputError]:
    """Write one document; return what went wrong, so that the others are written all the same."""
    try:
        if path is None:
            write_document(document)
        else:
            write_whole(path, document)
            say(f"Wrote {path}")
    except OutputError as error:
        return [error]
    return []


def _collect(settings: Settings) -> Inventory:
    with _progress() as progress:
        return run_until_told(collect_inventory(settings, progress))


def exit_code(result: ScanResult, fail_on: Severity | None) -> ExitCode:
    """Tell how the scan went: incomplete outweighs findings at or above `fail_on`."""
    if not result.complete:
        return ExitCode.INCOMPLETE
    if fail_on is not None and any(
        finding.rule.severity.rank <= fail_on.rank for finding in result.violations
    ):
        return ExitCode.FINDINGS
    return ExitCode.DONE


@contextmanager
def _progress() -> Iterator[ProgressPort]:
    """Show how far the walk has come, on a terminal's stderr only."""
    columns = (
        SpinnerColumn(),
        TextColumn("Projects"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[keys]:,} keys"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None, keys=0)

        def show(*, projects: int, projects_done: int, keys: int) -> None:
            bar.update(task, total=projects, completed=projects_done, keys=keys)

        yield show
