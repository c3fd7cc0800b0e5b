"""A scan result on the terminal: the worst first, and where the rest is."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanner.cli.console import inert
from scanner.finding import Finding, ScanResult, Severity
from scanner.inventory import CoverageState, by_collection

_ROWS: Final = 20
_WIDE: Final = 110
_WIDEST: Final = 160
_STYLES: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}


def print_summary(result: ScanResult, console: Console) -> None:
    """Print the worst findings, the totals and the coverage."""
    totals = result.totals()
    violations = result.violations
    title = result.organization or "OpenAI organization"
    policies = ", ".join(result.policies)
    console.print(
        Text.assemble(
            (inert(title).plain, "bold"),
            f"  {result.started_at:%Y-%m-%d %H:%M} UTC, policy {policies},"
            f" {_count(totals.projects, 'project')}, {_count(totals.keys, 'key')}",
        )
    )
    if violations:
        console.print(_table(violations[:_ROWS], console.width))
    if len(violations) > _ROWS:
        console.print(
            f"... and {len(violations) - _ROWS:,} more; --output html=report.html shows all."
        )
    counts = ", ".join(
        f"{count:,} {severity.value}" for severity, count in totals.by_severity.items() if count
    )
    if violations:
        console.print(
            f"{totals.keys_violating:,} of {_count(totals.keys, 'key')} break the policy: {counts}."
        )
    elif result.complete and not totals.undetermined:
        console.print("Every key keeps the policy.", style="green")
    else:
        console.print("No violation among what could be seen and decided.")
    if totals.undetermined:
        console.print(f"{totals.undetermined:,} undetermined: neither passed nor found guilty.")
    _print_coverage(result, console)


def _table(findings: tuple[Finding, ...], width: int) -> Table:
    """Lay the findings out; the owner gives way first where the terminal is narrow."""
    is_wide = width >= _WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.expand, table.width = True, min(width, _WIDEST)
    table.add_column("Severity", no_wrap=True, width=8)
    table.add_column("Rule", no_wrap=True, width=max(len(f.rule.id) for f in findings))
    for heading in ("Key", "Project", *(("Owner",) if is_wide else ()), "Evidence"):
        table.add_column(heading, no_wrap=True, ratio=1)
    for finding in findings:
        project = finding.project
        owner = inert(finding.owner_email or finding.key.owner.name or "unknown")
        table.add_row(
            Text(finding.rule.severity.value, style=_STYLES[finding.rule.severity]),
            finding.rule.id,
            inert(finding.key.name or finding.key.id),
            inert((project.name or project.id) if project else "organization"),
            *((owner,) if is_wide else ()),
            inert(
                ", ".join(
                    f"{row.fact.rpartition('.')[2]} {row.observed}" for row in finding.evidence
                )
            ),
        )
    return table


def _print_coverage(result: ScanResult, console: Console) -> None:
    if result.complete:
        console.print("Coverage: complete.", style="green")
        return
    console.print("Coverage: incomplete. What was not seen is not judged:", style="bold red")
    for row in by_collection(result.coverage):
        if row.state is not CoverageState.COMPLETE:
            reason = row.gaps[0].reason or ""
            more = f" (and {len(row.gaps) - 1:,} more)" if len(row.gaps) > 1 else ""
            console.print(inert(f"  {row.collection.value} {row.state.value}: {reason}{more}"))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
