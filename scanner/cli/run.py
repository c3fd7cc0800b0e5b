"""Running a scan under a command: the walk, its interruption, outputs, exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import typer

from scanner.cli.console import ExitCode, err, out, say, show_error, write_document
from scanner.cli.stopping import run_until_told
from scanner.cli.summary import print_summary
from scanner.cli.watching import watching
from scanner.errors import KeyVigilError, OutputError, StoreError
from scanner.finding import Judgement, Severity
from scanner.formats.files import write_whole
from scanner.formats.registry import FORMATS
from scanner.formats.snapshot import Snapshot, read_snapshot, render_snapshot
from scanner.inventory import Inventory
from scanner.judge import judge
from scanner.plan import Plan, make_plan, with_gaps
from scanner.policy.model import Policy
from scanner.ports import Clock, Collector, Lease, Store
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.scan import Scanned, compared, remember, scan
from scanner.settings import Settings
from scanner.wiring import collect_inventory, now

Output = tuple[str, Path | None]
"""A format's name and the file to write; None is stdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The nights before, to compare with; `lease` is None if tonight is not to be recorded."""

    store: Store
    organization: str
    lease: Lease | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an inventory comes from, and as of when it is judged."""

    collect: Collector
    clock: Clock


def live(settings: Settings, plan: Plan, *, is_verbose: bool = False) -> Source:
    """Walk the organization now."""
    return Source(collect=lambda: _collect(settings, plan, is_verbose=is_verbose), clock=now)


def stored(snapshot: Snapshot, plan: Plan) -> Source:
    """Take a snapshot's inventory as of its own moment.

    What the plan asks for and the snapshot lacks is a gap.
    """
    inventory = with_gaps(snapshot.inventory, plan)
    return Source(collect=lambda: inventory, clock=lambda: snapshot.taken_at)


def judge_snapshot(path: Path, policy: Policy) -> Judgement:
    """Judge a snapshot by one policy, as of its own moment; raise UsageError if it is none."""
    source = stored(read_snapshot(path), make_plan([policy]))
    return judge(source.collect(), [policy], source.clock())


def scan_and_report(
    source: Source,
    policies: tuple[Policy, ...],
    outputs: tuple[Output, ...],
    snapshot: Path | None = None,
    memory: Memory | None = None,
    *,
    masks: bool = False,
) -> ScanResult:
    """Scan, remember, write every output, print the summary; `masks` the addresses in them.

    Exit 130 or 143 if told to stop before. What failed is raised when all else is done.
    """
    failures: list[KeyVigilError] = []
    started_at = source.clock()

    def collect() -> Inventory:
        inventory = source.collect()
        if snapshot is not None:
            taken = Snapshot(taken_at=started_at, inventory=inventory)
            failures.extend(_deliver(render_snapshot(taken), snapshot))
        return inventory

    try:
        scanned = scan(collect, policies, started_at, source.clock)
        result, forgot = remembered(scanned, memory)
        failures.extend(forgot)
        shown = without_addresses(result) if masks else result
        failures.extend(write_reports(shown, outputs))
    except KeyboardInterrupt:
        say("Stopped: the scan was not finished.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    shows_all = any(path for _, path in outputs)
    console = err if any(path is None for _, path in outputs) else out
    print_summary(shown, console, shows_all=shows_all)
    raise_last(failures)
    return result


def write_reports(result: ScanResult, outputs: Sequence[Output]) -> list[OutputError]:
    """Render all, then write each; return what went wrong."""
    documents = [(FORMATS[name](result).encode(), path) for name, path in outputs]
    return [error for document, path in documents for error in _deliver(document, path)]


def raise_last(failures: Sequence[KeyVigilError]) -> None:
    """Show what failed and raise the last of it, if anything did."""
    for failure in failures[:-1]:
        show_error(failure)
    if failures:
        raise failures[-1]


def remembered(scanned: Scanned, memory: Memory | None) -> tuple[ScanResult, list[KeyVigilError]]:
    """Compare with the nights before and record tonight; return what went wrong beside it.

    What was found is reported all the same.
    """
    result = scanned.result
    if memory is None:
        return result, []
    try:
        result = compared(scanned, memory.store, memory.organization)
        if memory.lease is not None:
            taken = Snapshot(taken_at=result.started_at, inventory=scanned.inventory)
            remember(result, memory.store, memory.lease, render_snapshot(taken))
    except StoreError as error:
        return result, [error]
    return result, []


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


def _collect(settings: Settings, plan: Plan, *, is_verbose: bool) -> Inventory:
    if is_verbose:
        for step in plan.steps:
            verb = "asks for" if step.is_asked else "leaves out"
            say(f"{verb:<10}  {step.collection:<16}  {step.reason}")
    started = monotonic()
    with watching(is_verbose=is_verbose) as progress:
        inventory = run_until_told(collect_inventory(settings, plan, progress))
    if is_verbose:
        pages = sum(row.pages for row in inventory.coverage)
        say(
            f"Read {pages:,} pages in {monotonic() - started:.1f} s;"
            f" asked again {progress.retries:,} times."
        )
    return inventory


def exit_code(result: ScanResult, fail_on: Severity | None) -> ExitCode:
    """Tell how the scan went: incomplete outweighs findings at or above `fail_on`."""
    if not result.complete:
        return ExitCode.INCOMPLETE
    if fail_on is not None and any(
        finding.severity.rank <= fail_on.rank for finding in result.violations
    ):
        return ExitCode.FINDINGS
    return ExitCode.DONE
