"""A scan result as Markdown, for a job summary or a ticket: the figures, and a table per rule."""

import re
from collections.abc import Iterator
from typing import Final

from scanner.coverage import by_collection
from scanner.display import visible
from scanner.finding import Finding
from scanner.inventory import is_complete
from scanner.lifecycle import State
from scanner.result import RuleGroup, ScanResult, grouped, undecided
from scanner.words import evidence_texts

LIMIT: Final = 1_000_000
"""Bytes: GitHub drops a job summary that is larger than 1 MiB."""
_ROOM_TO_TELL: Final = 1000
_SPECIAL: Final = re.compile(r"[\\`*_\[\]|<>&~$]|(?<![\w.+-])@|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_INERT: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@<!-- -->"}
_HEADINGS: Final = ("Key", "Project", "Owner", "Evidence")


def render_markdown(result: ScanResult) -> str:
    """Render the report; a report above the limit is truncated, with a note."""
    parts: list[str] = []
    left = LIMIT
    for part in _parts(result):
        left -= len(part.encode(errors="backslashreplace"))
        if left < _ROOM_TO_TELL:
            parts.append(
                "\n**Truncated at the size limit of a job summary.** The HTML and JSON reports"
                " contain all findings.\n"
            )
            break
        parts.append(part)
    return "".join(parts)


def _parts(result: ScanResult) -> Iterator[str]:
    totals = result.totals()
    yield f"# KeyVigil: {_plain(result.organization or 'OpenAI organization')}\n\n"
    if not result.complete:
        yield "> **This scan is incomplete.** Data that was not collected is not evaluated:\n>\n"
        for row in by_collection(result.coverage):
            if not is_complete(row.gaps):
                yield f"> - {_plain(row.collection.value)}: {_plain(row.gaps[0].reason or '')}\n"
        yield "\n"
    yield (
        f"{result.started_at:%Y-%m-%d %H:%M} UTC, policy {_plain(', '.join(result.policies))}:"
        f" **{totals.keys_violating:,} of {totals.keys:,} keys violate the policy.**\n\n"
    )
    counts = {severity.value: count for severity, count in totals.by_severity.items()}
    counts |= {"excepted": totals.excepted, "undetermined": totals.undetermined}
    yield _table(tuple(counts), [tuple(f"{count:,}" for count in counts.values())])
    for note in filter(None, (result.clock_note, result.unlisted_note)):
        yield f"{_plain(note)}\n\n"
    yield from _changes(result)
    for group in grouped(result.violations):
        yield from _group(group, f"{group.severity.value}: {group.rule.defect}")
    for group in undecided(result.undetermined):
        yield from _group(group, f"undetermined: {group.rule.defect}")


def _changes(result: ScanResult) -> Iterator[str]:
    history = result.history
    if history is None or history.previous is None:
        return
    yield f"\n## Since {history.previous.started_at:%Y-%m-%d %H:%M} UTC\n\n"
    figures = tuple(f"{len(history.of(state)):,}" for state in State)
    yield _table(tuple(state.value for state in State), [figures])


def _group(group: RuleGroup, title: str) -> Iterator[str]:
    yield f"\n## {_plain(title)}\n\n{_plain(group.rule.why)} **Fix:** {_plain(group.rule.fix)}\n\n"
    yield _row(_HEADINGS) + _row(("---",) * len(_HEADINGS))
    for finding in group.findings:
        yield _row(_cells(finding))


def _cells(finding: Finding) -> tuple[str, ...]:
    key, project = finding.key, finding.project
    evidence = "; ".join(evidence_texts(finding.evidence))
    cells = (
        f"{key.name or 'unnamed'} {key.id}",
        (project.name or project.id) if project else "organization",
        finding.owner_email or finding.key.owner.name or "unknown",
        evidence,
    )
    return tuple(_plain(cell) for cell in cells)


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, ("---:",) * len(headings), *rows]
    return "".join(_row(line) for line in lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _plain(text: str) -> str:
    """Escape Markdown and HTML markup; a comment keeps @names from notifying people."""
    return _SPECIAL.sub(lambda match: _INERT.get(match[0], f"\\{match[0]}"), visible(text))
