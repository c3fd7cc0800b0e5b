"""A scan result on the terminal: violations by rule, totals, changes and coverage."""

from collections import Counter

from rich.console import Console
from rich.text import Text

from scanner.cli.columns import shorten_middle
from scanner.cli.console import counted, inert, tell
from scanner.cli.revocation_shown import print_revocation
from scanner.cli.violations_shown import CHANGES, print_violations
from scanner.coverage import by_collection
from scanner.display import visible
from scanner.durations import format_spaced
from scanner.inventory import is_complete
from scanner.lifecycle import History, State
from scanner.result import ScanResult, grouped, undecided
from scanner.secret import redact


def print_summary(
    result: ScanResult, console: Console, *, shows_all: bool, is_latest: bool = True
) -> None:
    """Print the violations by rule, the totals, the changes, the coverage and the next step.

    `shows_all`: a report with every finding was written, so no command for one is printed.
    `is_latest`: `keyvigil report` shows this scan even without its id.
    """
    _print_head(result, console)
    groups = grouped(result.violations)
    has_before = result.history is not None and result.history.previous is not None
    standings = result.history.by_fingerprint() if result.history and has_before else {}
    print_violations(groups, standings, console)
    console.print()
    _print_totals(result, console)
    if result.renamed_from is not None:
        renamed = (
            f"Renamed: the organization was called '{result.renamed_from}' in earlier scans;"
            " the history continues, because the projects are the same."
        )
        tell(console, inert(renamed, "yellow"))
    if result.history:
        _print_history(result.history, console)
    _print_exceptions(result, console)
    if result.revocation:
        print_revocation(result.revocation, console)
    _print_undetermined(result, console)
    for note in filter(None, (result.unlisted_note, result.clock_note)):
        tell(console, inert(note, "yellow"))
    print_coverage(result, console)
    if result.findings and not shows_all:
        _print_next_step(result, console, is_latest=is_latest)


def _print_next_step(result: ScanResult, console: Console, *, is_latest: bool) -> None:
    """Print the command that shows all findings; with a history it needs no second scan."""
    if result.history is None:
        text, command = "Show all findings:", "keyvigil scan --output html=report.html"
    else:
        text = "Show all findings without a second scan:"
        chosen = "" if is_latest else f" --from {result.id}"
        command = f"keyvigil report{chosen} --output html=report.html"
    console.print()
    tell(console, Text(text))
    console.print(inert(f"  {command}", "bold"), soft_wrap=True)


def _print_head(result: ScanResult, console: Console) -> None:
    name = visible(redact(result.organization or "OpenAI organization"))
    console.print(Text(shorten_middle(name, console.width), style="bold"), no_wrap=True)
    noun = "policy" if len(result.policies) == 1 else "policies"
    tell(
        console,
        inert(
            f"{result.started_at:%Y-%m-%d %H:%M} UTC, {noun} {', '.join(result.policies)},"
            f" {counted(result.projects, 'project')}, {counted(result.keys, 'key')}"
        ),
    )


def _print_totals(result: ScanResult, console: Console) -> None:
    totals = result.totals()
    counts = ", ".join(
        f"{count:,} {severity.value}" for severity, count in totals.by_severity.items() if count
    )
    if result.violations:
        verb = "violates" if totals.keys_violating == 1 else "violate"
        console.print(
            f"{totals.keys_violating:,} of {counted(totals.keys, 'key')} {verb} the policy."
        )
        console.print(f"{counted(len(result.violations), 'violation')}: {counts}.")
    elif result.complete and not totals.undetermined:
        console.print("All keys comply with the policy.", style="green")
    else:
        console.print("No violations in the data that was collected and evaluated.")
    idle = [t.rule.id for t in result.rules if not t.applied and t.for_live_keys]
    if idle and result.keys:
        noun = "Rule" if len(idle) == 1 else "Rules"
        tell(console, inert(f"{noun} that applied to no key: {', '.join(idle)}.", "yellow"))


def _print_history(history: History, console: Console) -> None:
    """Print the changes since the previous scan, and the mean time to remediate."""
    if history.previous is None:
        console.print("First scan: no earlier scan to compare with.")
        return
    since = f"Since {history.previous.started_at:%Y-%m-%d %H:%M} UTC"
    tell(console, inert(f"{since}: {', '.join(changes_of(history)) or 'no changes'}."))
    unverified = history.of(State.UNVERIFIED)
    if unverified:
        reasons = Counter(standing.reason for standing in unverified)
        why = "; ".join(f"{count:,}: {reason}" for reason, count in reasons.most_common(3))
        count = counted(len(unverified), "open finding")
        tell(console, inert(f"Not verified in this scan: {count} ({why}).", "magenta"))
    left = history.of(State.NOT_EVALUATED)
    if left:
        rules = counted(len({standing.case.rule for standing in left}), "rule")
        count = counted(len(left), "open finding")
        console.print(f"Not evaluated in this scan: {count} of {rules}.")
    mean = history.mean_time_to_remediate
    if mean is not None:
        count = counted(len(history.nights), "scan")
        console.print(f"Mean time to remediate: {format_spaced(mean)}, over {count}.")


def changes_of(history: History) -> list[str]:
    """Return the changes since the previous scan: `2 new`, `1 resolved (1 key deleted)`."""
    counts = Counter(standing.state for standing in history.standings)
    changes = [f"{counts[state]:,} {state.value}" for state in CHANGES if counts[state]]
    resolutions = (standing.case.resolution for standing in history.of(State.RESOLVED))
    ways = Counter(resolution.words for resolution in resolutions if resolution)
    if ways:
        how = ", ".join(f"{count:,} {way}" for way, count in ways.most_common())
        changes.append(f"{counts[State.RESOLVED]:,} resolved ({how})")
    return changes


def _print_exceptions(result: ScanResult, console: Console) -> None:
    """Print the number of excepted findings, and the exceptions that expired or match no key."""
    excepted = result.totals().excepted
    if excepted:
        console.print(f"Excepted: {counted(excepted, 'finding')}.")
    for tally in result.exceptions:
        text = tally.exception
        which = f"the exception from {', '.join(text.rules)}, owner {text.owner}"
        if not tally.active:
            tell(console, inert(f"Expired on {text.expires}: {which}.", "yellow"))
        elif not tally.excepted and result.complete:
            tell(console, inert(f"Matches no finding: {which}.", "yellow"))


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
    """Print the incomplete collections, each with a reason."""
    if result.complete:
        console.print("Data collection: complete.", style="green")
        return
    tell(
        console,
        Text("Data collection: incomplete. Missing data is not evaluated:", "bold red"),
    )
    for row in by_collection(result.coverage):
        if not is_complete(row.gaps):
            reason = row.gaps[0].reason or ""
            more = f" (and {len(row.gaps) - 1:,} more)" if len(row.gaps) > 1 else ""
            tell(console, inert(f"  {row.collection.value} {row.state.value}: {reason}{more}"))
