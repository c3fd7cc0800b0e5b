"""A scan result on the terminal: rule by rule, the worst first, a few keys of each."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanner.cli.console import counted, inert, tell
from scanner.cli.revocation_shown import print_revocation
from scanner.coverage import by_collection
from scanner.durations import format_duration
from scanner.finding import Finding
from scanner.inventory import is_complete
from scanner.lifecycle import History, Standing, State
from scanner.result import RuleGroup, ScanResult, grouped, undecided
from scanner.severity import Severity

_KEYS_SHOWN: Final = 4
_CHANGES: Final = (State.NEW, State.REOPENED, State.ESCALATED, State.DEESCALATED)
_WIDEST: Final = 160
_STYLES: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}


def print_summary(result: ScanResult, console: Console, *, shows_all: bool) -> None:
    """Print each rule's findings, the totals and the coverage.

    `shows_all` says that a report with every key was written, so that nothing points to one.
    """
    _print_head(result, console)
    groups = grouped(result.violations)
    has_before = result.history is not None and result.history.previous is not None
    standings = result.history.by_fingerprint() if result.history and has_before else {}
    for group in groups:
        _print_rule(group, standings, console)
    if groups:
        console.print()
    is_cut = any(len(group.findings) > _KEYS_SHOWN for group in groups)
    if is_cut and not shows_all:
        console.print("Every key: keyvigil scan --output html=report.html", style="dim")
    _print_totals(result, console)
    if result.renamed_from is not None:
        said = f"Renamed: this continues the history '{result.renamed_from}', of the same projects."
        tell(console, inert(said, "yellow"))
    if result.history:
        _print_history(result.history, console)
    _print_exceptions(result, console)
    if result.revocation:
        print_revocation(result.revocation, console)
    _print_undetermined(result, console)
    for note in filter(None, (result.unlisted_note, result.clock_note)):
        tell(console, inert(note, "yellow"))
    print_coverage(result, console)


def _print_head(result: ScanResult, console: Console) -> None:
    title = inert(result.organization or "OpenAI organization", "bold")
    console.print(
        title.append(
            f"  {result.started_at:%Y-%m-%d %H:%M} UTC, policy {', '.join(result.policies)},"
            f" {counted(result.projects, 'project')}, {counted(result.keys, 'key')}",
            "not bold",
        )
    )


def _print_rule(group: RuleGroup, standings: Mapping[str, Standing], console: Console) -> None:
    """Print one rule and its first keys, what changed on top, with what it takes to find them."""
    rule, severity = group.rule, group.severity
    count = counted(len(group.findings), "key")
    console.print()
    heading = Text.assemble((severity.value, _STYLES[severity]), "  ", (rule.id, "bold"))
    console.print(heading.append(f"  {count}"))
    table = Table.grid(padding=(0, 2, 0, 0), expand=True, pad_edge=False)
    table.width = min(console.width, _WIDEST)
    table.add_column(no_wrap=True, ratio=3)
    table.add_column(no_wrap=True, min_width=20)
    for _ in range(3):
        table.add_column(no_wrap=True, ratio=3)
    rows = [(_change_of(finding, standings), finding) for finding in group.findings]
    rows.sort(key=lambda row: not row[0])
    if standings:
        table.add_column(no_wrap=True, width=9, style="bold")
    for change, finding in rows[:_KEYS_SHOWN]:
        table.add_row(*_cells(finding), *([change] if standings else ()))
    console.print(table)
    if len(group.findings) > _KEYS_SHOWN:
        console.print(f"  ... and {len(group.findings) - _KEYS_SHOWN:,} more", style="dim")


def _change_of(finding: Finding, standings: Mapping[str, Standing]) -> str:
    standing = standings.get(finding.fingerprint)
    return standing.state.value if standing and standing.state in _CHANGES else ""


def _cells(finding: Finding) -> tuple[Text, ...]:
    project = finding.project
    where = (project.name or project.id) if project else "organization"
    owner = finding.owner_email or finding.key.owner.name or "unknown"
    rows = [row for row in finding.evidence if row.fact != "used"] or finding.evidence
    evidence = ", ".join(
        row.observed if row.fact.endswith(".state") else f"{row.fact} {row.observed}"
        for row in rows
    )
    name = inert(f"  {finding.key.name or 'unnamed'}")
    return name, inert(finding.key.id), inert(where), inert(owner), inert(evidence)


def _print_totals(result: ScanResult, console: Console) -> None:
    totals = result.totals()
    counts = ", ".join(
        f"{count:,} {severity.value}" for severity, count in totals.by_severity.items() if count
    )
    if result.violations:
        console.print(
            f"{totals.keys_violating:,} of {counted(totals.keys, 'key')} break the policy."
            f" {counted(len(result.violations), 'violation')}: {counts}."
        )
    elif result.complete and not totals.undetermined:
        console.print("Every key keeps the policy.", style="green")
    else:
        console.print("No violation among what could be seen and decided.")
    idle = [t.rule.id for t in result.rules if not t.applied and t.for_live_keys]
    if idle and result.keys:
        console.print(f"Applied to no key: {', '.join(idle)}.", style="yellow")


def _print_history(history: History, console: Console) -> None:
    """Print what changed since the night before, and how long things take to be mended."""
    if history.previous is None:
        console.print("The first scan of its history.")
        return
    since = f"Since {history.previous.started_at:%Y-%m-%d %H:%M} UTC"
    tell(console, inert(f"{since}: {', '.join(changes_of(history)) or 'nothing changed'}."))
    unverified = history.of(State.UNVERIFIED)
    if unverified:
        reasons = Counter(standing.reason for standing in unverified)
        why = "; ".join(f"{count:,}: {reason}" for reason, count in reasons.most_common(3))
        count = counted(len(unverified), "finding")
        tell(console, inert(f"Carried over unverified: {count} ({why}).", "magenta"))
    left = history.of(State.NOT_EVALUATED)
    if left:
        rules = counted(len({standing.case.rule for standing in left}), "rule")
        verb = "was" if len(left) == 1 else "were"
        console.print(
            f"{counted(len(left), 'finding')} of {rules} {verb} not evaluated in this scan."
        )
    mean = history.mean_time_to_remediate
    if mean is not None:
        count = counted(len(history.nights), "scan")
        console.print(f"Mended within {format_duration(mean)} on average, over {count}.")


def changes_of(history: History) -> list[str]:
    """Return what changed since the night before: `2 new`, `1 resolved (key deleted)`."""
    counts = Counter(standing.state for standing in history.standings)
    changes = [f"{counts[state]:,} {state.value}" for state in _CHANGES if counts[state]]
    resolutions = (standing.case.resolution for standing in history.of(State.RESOLVED))
    ways = Counter(resolution.words for resolution in resolutions if resolution)
    if ways:
        how = ", ".join(f"{count:,} {way}" for way, count in ways.most_common())
        changes.append(f"{counts[State.RESOLVED]:,} resolved ({how})")
    return changes


def _print_exceptions(result: ScanResult, console: Console) -> None:
    """Print how many findings are let be, and the exceptions that need a look."""
    excepted = result.totals().excepted
    if excepted:
        console.print(f"Excepted: {counted(excepted, 'finding')}.")
    for tally in result.exceptions:
        text = tally.exception
        which = f"the exception of {text.owner} from {', '.join(text.rules)}"
        if not tally.active:
            tell(console, inert(f"Expired on {text.expires}: {which}.", "yellow"))
        elif not tally.excepted and result.complete:
            tell(console, inert(f"Without effect: {which}.", "yellow"))


def _print_undetermined(result: ScanResult, console: Console) -> None:
    for group in undecided(result.undetermined):
        count = counted(len(group.findings), "key")
        tell(
            console,
            inert(
                f"Undetermined: {group.rule.id} for {count}: {group.reason.rstrip('.')}.", "magenta"
            ),
        )


def print_coverage(result: ScanResult, console: Console) -> None:
    """Print which collections are incomplete, and why."""
    if result.complete:
        console.print("Coverage: complete.", style="green")
        return
    console.print("Coverage: incomplete. What was not seen is not judged:", style="bold red")
    for row in by_collection(result.coverage):
        if not is_complete(row.gaps):
            reason = row.gaps[0].reason or ""
            more = f" (and {len(row.gaps) - 1:,} more)" if len(row.gaps) > 1 else ""
            tell(console, inert(f"  {row.collection.value} {row.state.value}: {reason}{more}"))
