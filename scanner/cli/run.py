"""Running a scan under a command: collection, interruption, outputs, exit code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import typer

from scanner.cli.console import ExitCode, err, log, out, say, show_error, worst, write_document
from scanner.cli.log_lines import fields_of_result
from scanner.cli.memory import Memory
from scanner.cli.recording import remembered, with_history
from scanner.cli.stopping import Ending, Loss, run_until_told
from scanner.cli.summary import print_summary
from scanner.cli.telling import tell, untold
from scanner.cli.watching import watching
from scanner.daemon.events import Level
from scanner.errors import ApiError, KeyVigilError, OutputError
from scanner.formats.files import write_whole
from scanner.formats.registry import document_of
from scanner.formats.snapshot import Snapshot, read_snapshot, render_snapshot
from scanner.inventory import Inventory
from scanner.path_template import fill
from scanner.plan import Plan, make_plan, with_gaps
from scanner.policy.model import Policy
from scanner.ports import Clock, Collector, Progress
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.scan import scan
from scanner.settings import Settings
from scanner.severity import Severity
from scanner.wiring import collect_inventory, now

Output = tuple[str, Path | None]
"""A format's name and the file to write, a template; None is stdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an inventory comes from, the time of its evaluation, and how to end the collection."""

    collect: Collector
    clock: Clock
    ending: Ending | None = None


def live(
    settings: Settings,
    plan: Plan,
    *,
    is_verbose: bool = False,
    retried: Callable[[], None] = lambda: None,
    ending: Ending | None = None,
    memory: Memory | None = None,
) -> Source:
    """Return a source that collects now; SIGTERM stops it, or ends it early if it has an `ending`.

    `retried` is called for each retried request. `collect` raises LockLost if another scan takes
    over the lock of `memory`.
    """

    def collect() -> Inventory:
        return _collect(settings, plan, retried, ending, memory, is_verbose=is_verbose)

    return Source(collect=collect, clock=now, ending=ending)


def stored(snapshot: Snapshot, plan: Plan) -> Source:
    """Return a snapshot as a source, evaluated as of the time it was taken.

    Listings that the plan requires and the snapshot lacks are gaps.
    """
    inventory = with_gaps(snapshot.inventory, plan)
    return Source(collect=lambda: inventory, clock=lambda: snapshot.taken_at)


def judge_snapshot(path: Path, policy: Policy) -> ScanResult:
    """Evaluate one policy on a snapshot as of its own time; raise UsageError if it is not valid."""
    source = stored(read_snapshot(path), make_plan([policy]))
    return scan(source.collect, [policy], source.clock(), source.clock).result


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A recorded and reported scan whose alerts are not sent yet.

    `shown` is the result as reports contain it, `failures` are the errors of the outputs and the
    history, and `page` is the path of the HTML report, if one was written.
    """

    result: ScanResult
    shown: ScanResult
    failures: tuple[KeyVigilError, ...]
    page: Path | None = None


def scan_and_report(
    source: Source,
    policies: tuple[Policy, ...],
    outputs: tuple[Output, ...],
    snapshot: Path | None = None,
    memory: Memory | None = None,
    *,
    name: str | None = None,
    masks: bool = False,
    uses_stdout: bool = False,
) -> Reported:
    """Scan, record, write every output and print the summary; `masks` e-mail addresses in reports.

    `name` is the organization's name in the settings. `uses_stdout`: another output than these
    goes to stdout. Exit 130 or 143 when stopped by a signal.
    """
    failures: list[KeyVigilError] = []
    if memory is not None and (ending := source.ending) is not None:
        memory = replace(memory, is_told_to_end=lambda: ending.is_told)
    started_at = source.clock()
    try:
        collect = with_history(source.collect, policies, memory)
        scanned = scan(collect, policies, started_at, source.clock)
        scanned = replace(scanned, result=replace(scanned.result, history_name=name))
        result, left = remembered(scanned, memory, masks=masks)
        failures.extend(left)
        if snapshot is not None:
            taken = Snapshot(taken_at=started_at, inventory=scanned.inventory)
            failure = write_document_to(_named(snapshot, result), render_snapshot(taken))
            failures.extend([failure] if failure else [])
        shown = without_addresses(result) if masks else result
        lost = write_reports(shown, outputs)
        failures.extend(error for error in lost if error)
    except KeyboardInterrupt:
        say("Stopped: the scan was not finished.", level=Level.WARNING)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    shows_all = any(path for _, path in outputs)
    uses_stdout = uses_stdout or any(path is None for _, path in outputs)
    console = err if uses_stdout else out
    if not err.is_terse and (console is out or not err.is_log):
        print_summary(shown, console, shows_all=shows_all, is_latest=name is None)
    written = [output for output, error in zip(outputs, lost, strict=True) if error is None]
    return Reported(
        result=result, shown=shown, failures=tuple(failures), page=page_of(written, shown)
    )


def told(
    reported: Reported, memory: Memory | None, ending: Ending | None, *, masks: bool = False
) -> tuple[ScanResult, list[KeyVigilError]]:
    """Send the alerts, unless the scan was ended early; return the result and all failures.

    Exit 130 when stopped by a signal meanwhile.
    """
    is_told_to_end = ending is not None and ending.closed()
    failures = [*reported.failures]
    if memory is None or memory.lease is None:
        return reported.result, failures
    if is_told_to_end:
        return reported.result, [*failures, *untold(memory.alerts)]
    outbox, lease = memory.store.outbox, memory.lease
    try:
        failures.extend(tell(reported.result, memory.alerts, outbox, lease, masks=masks))
    except KeyboardInterrupt:
        say("Stopped: the next scan sends the remaining alerts.", level=Level.WARNING)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    return reported.result, failures


def write_reports(result: ScanResult, outputs: Sequence[Output]) -> list[OutputError | None]:
    """Render all outputs, then write each; return the error of each, or None."""
    documents = [
        (document_of(name, result, to_file=path is not None), path) for name, path in outputs
    ]
    return [
        write_document_to(path and _named(path, result), document) for document, path in documents
    ]


def page_of(outputs: Sequence[Output], result: ScanResult) -> Path | None:
    """Return the path of a scan's HTML report, or None if it is not written to a file."""
    pages = (_named(path, result) for name, path in outputs if name == "html" and path)
    return next(pages, None)


def _named(path: Path, result: ScanResult) -> Path:
    """Fill in the placeholders of a path: time, scan id and organization."""
    organization = result.organization or "organization"
    filled = fill(str(path), at=result.started_at, scan_id=result.id, organization=organization)
    return Path(filled)


def write_document_to(path: Path | None, document: bytes) -> OutputError | None:
    """Write one document, to stdout if `path` is None.

    Return the error instead of raising it, so that the other documents are still written.
    """
    try:
        if path is None:
            write_document(document)
        else:
            write_whole(path, document)
            say(f"Wrote {path}")
    except OutputError as error:
        return error
    return None


def _collect(
    settings: Settings,
    plan: Plan,
    retried: Callable[[], None],
    ending: Ending | None,
    memory: Memory | None,
    *,
    is_verbose: bool,
) -> Inventory:
    if is_verbose:
        for step in plan.steps:
            verb = "collect" if step.is_asked else "skip"
            say(f"{verb:<7}  {step.collection:<16}  {step.reason}")
    started = monotonic()
    with watching(is_verbose=is_verbose, retried=retried) as progress:
        inventory = run_until_told(walked(settings, plan, progress, ending, memory), ending)
    if is_verbose:
        pages = sum(row.pages for row in inventory.coverage)
        say(
            f"Read {pages:,} pages in {monotonic() - started:.1f} s. Retries: {progress.retries:,}."
        )
    return inventory


async def walked(
    settings: Settings,
    plan: Plan,
    progress: Progress,
    ending: Ending | None,
    memory: Memory | None,
) -> Inventory:
    """Collect until done, SIGTERM, or loss of the lock; raise LockLost or ApiError."""
    loss = memory.loss if memory else Loss()

    def begun(end: Callable[[], None]) -> None:
        loss.begun(end)
        if ending is not None:
            ending.begun(end)

    try:
        inventory = await collect_inventory(settings, plan, progress, begun)
    except ApiError:
        loss.check()
        raise
    loss.check()
    return inventory


def conclude(
    result: ScanResult, failures: Sequence[KeyVigilError], fail_on: Severity | None
) -> ExitCode:
    """Print the failures; return the exit code of the most serious problem, findings included."""
    codes = [show_error(failure) for failure in failures]
    if not result.complete:
        codes.append(ExitCode.INCOMPLETE)
    if fail_on is not None and any(
        finding.severity.rank <= fail_on.rank for finding in result.violations
    ):
        codes.append(ExitCode.FINDINGS)
    code = worst(codes)
    is_well = code in (ExitCode.DONE, ExitCode.FINDINGS)
    level = Level.INFO if is_well else Level.WARNING
    log("The scan has ended.", level, exit_code=int(code), **fields_of_result(result))
    return code
