"""Violations on the terminal: a heading for each rule, how to fix it, and a table of a few keys."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from scanner.cli.columns import fitted, padded, shorten_end, shorten_middle
from scanner.cli.console import counted, inert
from scanner.display import visible
from scanner.finding import Finding
from scanner.formats.page_data import ORGANIZATION
from scanner.lifecycle import Standing, State
from scanner.result import RuleGroup
from scanner.secret import redact
from scanner.severity import Severity
from scanner.words import evidence_texts

CHANGES: Final = (State.NEW, State.REOPENED, State.ESCALATED, State.DEESCALATED)
_KEY: Final = "Key"
_ID: Final = "ID"
_PROJECT: Final = "Project"
_OWNER: Final = "Owner"
_EVIDENCE: Final = "Evidence"
_STATUS: Final = "Status"
_NAMES: Final = (_KEY, _PROJECT, _OWNER)
_KEYS_SHOWN: Final = 4
_WIDEST: Final = 160
_INDENT: Final = 2
_GAP: Final = 2
_SEVERITY_WIDTH: Final = max(len(severity.value) for severity in Severity)
_NAME_WIDTH: Final = 24
"""A layout that leaves less than this to a longer name is too wide."""
_EVIDENCE_WIDTH: Final = 24
"""Names are shortened before evidence of this width is."""
_STYLES: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """What a row contains besides the key's name, its project and what was observed."""

    limits: bool
    addresses: bool
    ids: bool


_SHORT: Final = {
    "owner left the organization": "owner left",
    "owner has no access to the project": "no project access",
}
"""Evidence in fewer words."""
_LAYOUTS: Final = (
    _Layout(limits=True, addresses=True, ids=True),
    _Layout(limits=False, addresses=True, ids=True),
    _Layout(limits=False, addresses=False, ids=True),
    _Layout(limits=False, addresses=False, ids=False),
)
"""From the most detailed to the narrowest."""

_Listed = Sequence[tuple[str, Finding]]
"""The first findings of a rule, each with the status that changed, or ""."""


def print_violations(
    groups: Iterable[RuleGroup], standings: Mapping[str, Standing], console: Console
) -> None:
    """Print each rule and its first keys, changed ones first; no row exceeds the console."""
    width = min(console.width, _WIDEST)
    shown = [(group, _first(group, standings)) for group in groups]
    layout = next(
        (one for one in _LAYOUTS if all(_fits(one, listed, width) for _, listed in shown)),
        _LAYOUTS[-1],
    )
    for group, listed in shown:
        console.print()
        _print_heading(group, width, console)
        _print_table(_rows(layout, listed), width, console)
        if more := len(group.findings) - len(listed):
            console.print(f"{' ' * _INDENT}… and {counted(more, 'more key')}", style="dim")


def _print_table(rows: Sequence[Mapping[str, str]], width: int, console: Console) -> None:
    widths = _widths(rows, width)
    headings = {heading: heading for heading in rows[0]}
    console.print(Text(_line(headings, widths, width), style="dim"), no_wrap=True)
    for row in rows:
        console.print(Text(_line(row, widths, width)), no_wrap=True)


def _print_heading(group: RuleGroup, width: int, console: Console) -> None:
    """Print severity, title, number of keys and the rule's id; the id below if it is too long."""
    rule, severity = group.rule, group.severity
    count = f"  {counted(len(group.findings), 'key')}"
    grade = severity.value.ljust(_SEVERITY_WIDTH + _GAP)
    title = shorten_end(visible(redact(rule.defect)), width - len(grade) - cell_len(count))
    line = Text.assemble((grade, _STYLES[severity]), (title, "bold"), count)
    rule_id = visible(redact(rule.id))
    if line.cell_len + _GAP + cell_len(rule_id) <= width:
        line.append(f"{' ' * _GAP}{rule_id}", style="dim")
        rule_id = ""
    console.print(line, no_wrap=True)
    if rule_id:
        below = f"{' ' * _INDENT}rule: {rule_id}"
        console.print(Text(shorten_end(below, width), style="dim"), no_wrap=True)
    label = f"{' ' * _INDENT}fix: "
    for line in inert(rule.fix).wrap(console, max(width - len(label), 1)):
        line.rstrip()
        console.print(Text.assemble(label, line), no_wrap=True)
        label = " " * len(label)


def _first(group: RuleGroup, standings: Mapping[str, Standing]) -> list[tuple[str, Finding]]:
    rows = [(_change_of(finding, standings), finding) for finding in group.findings]
    return sorted(rows, key=lambda row: not row[0])[:_KEYS_SHOWN]


def _change_of(finding: Finding, standings: Mapping[str, Standing]) -> str:
    standing = standings.get(finding.fingerprint)
    return standing.state.value if standing and standing.state in CHANGES else ""


def _fits(layout: _Layout, listed: _Listed, width: int) -> bool:
    sizes = _sizes(_rows(layout, listed))
    needed = sum(
        min(size, _NAME_WIDTH) if heading in _NAMES else size for heading, size in sizes.items()
    )
    if not layout.limits:
        needed -= max(sizes.get(_EVIDENCE, 0) - _EVIDENCE_WIDTH, 0)
    return needed <= _available(len(sizes), width)


def _rows(layout: _Layout, listed: _Listed) -> list[dict[str, str]]:
    """Return for each finding its cells by column heading, inert."""
    has_status = any(status for status, _ in listed)
    shared = Counter(_shared(finding) for _, finding in listed)
    rows = []
    for status, finding in listed:
        key, project = finding.key, finding.project
        name = key.name or ("unnamed" if layout.ids else key.id)
        if not layout.ids and shared[_shared(finding)] > 1:
            name += f" …{key.redacted_value[-4:]}"
        row = {
            _KEY: name,
            **({_ID: key.id} if layout.ids else {}),
            _PROJECT: (project.name or project.id) if project else ORGANIZATION,
            _OWNER: _owner(finding, prefers_address=layout.addresses),
            _EVIDENCE: _evidence(finding, has_limits=layout.limits),
            **({_STATUS: status} if has_status else {}),
        }
        rows.append({heading: visible(redact(cell)) for heading, cell in row.items()})
    return rows


def _shared(finding: Finding) -> tuple[str | None, str | None]:
    """Return what several keys may have in common, so that only their ids differ."""
    return finding.key.name, finding.project.id if finding.project else None


def _owner(finding: Finding, *, prefers_address: bool) -> str:
    owner, email = finding.key.owner, finding.owner_email
    owner_id = owner.id if isinstance(owner.id, str) else None
    names = (email, owner.name) if prefers_address else (owner.name, email)
    return next(filter(None, (*names, owner_id)), "unknown")


def _evidence(finding: Finding, *, has_limits: bool) -> str:
    texts = evidence_texts(finding.evidence, limits=has_limits)
    return "; ".join(_SHORT.get(text, text) for text in texts)


def _widths(rows: Sequence[Mapping[str, str]], width: int) -> dict[str, int]:
    """Return the width of each column; names are shortened before evidence."""
    sizes = _sizes(rows)
    available = _available(len(sizes), width) - sum(
        size for heading, size in sizes.items() if heading in (_ID, _STATUS)
    )
    evidence = min(sizes.get(_EVIDENCE, 0), _EVIDENCE_WIDTH)
    names = [heading for heading in sizes if heading in _NAMES]
    reduced = fitted([sizes[heading] for heading in names], available - evidence)
    evidence = min(sizes.get(_EVIDENCE, 0), max(available - sum(reduced), evidence))
    return {**sizes, **dict(zip(names, reduced, strict=True)), _EVIDENCE: evidence}


def _sizes(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return for each column the width of its widest cell, its heading included."""
    headings = rows[0] if rows else ()
    return {
        heading: max(cell_len(heading), *(cell_len(row[heading]) for row in rows))
        for heading in headings
    }


def _available(columns: int, width: int) -> int:
    return width - _INDENT - _GAP * (columns - 1)


def _line(row: Mapping[str, str], widths: Mapping[str, int], width: int) -> str:
    cells = [
        shorten_end(cell, widths[heading])
        if heading == _EVIDENCE
        else shorten_middle(cell, widths[heading])
        for heading, cell in row.items()
    ]
    line = f"{' ' * _INDENT}{padded(cells, [widths[heading] for heading in row], _GAP)}"
    return shorten_end(line, width)
