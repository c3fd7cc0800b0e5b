"""The results of many organizations as `keyvigil.overview/1`."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from scanner.announce_acts import is_done
from scanner.display import visible
from scanner.finding import Finding
from scanner.formats.finding_rows import finding_row
from scanner.formats.overview_rows import (
    FiguresRow,
    OrganizationRow,
    Overview,
    TotalsRow,
    WorstRow,
)
from scanner.formats.report_rows import ToolRow
from scanner.formats.visit import OrganizationState, Visit
from scanner.lifecycle import Standing, State
from scanner.receipt import Revocation
from scanner.redaction import without_addresses_in
from scanner.result import ScanResult
from scanner.secret import redact
from scanner.severity import Severity

MOST: Final = 100
"""Maximum number of findings in the list of the most severe."""
_TOLD: Final = (State.NEW, State.REOPENED, State.ESCALATED)
_LONGEST: Final = 300
_FIGURES: Final = tuple(FiguresRow.model_fields)


def overview_of(
    visits: Sequence[Visit], began: datetime, ended: datetime, *, folder: Path, masks: bool
) -> Overview:
    """Return the report for a file in `folder`; `masks` email addresses in names and reasons."""
    worst = sorted(_worst(visits), key=lambda found: found[:2])
    return Overview(
        schema_="keyvigil.overview/1",
        tool=ToolRow(version=version("keyvigil")),
        started_at=began,
        finished_at=ended,
        totals=_totals(visits),
        organizations=[_organization(visit, folder, masks=masks) for visit in visits],
        findings=[
            _finding(visit, finding, standing, folder, masks=masks)
            for _, _, visit, finding, standing in worst[:MOST]
        ],
        omitted=len(worst[MOST:]),
    )


def _organization(visit: Visit, folder: Path, *, masks: bool) -> OrganizationRow:
    result = visit.result
    return OrganizationRow(
        name=_named(visit, masks=masks),
        state=visit.state,
        complete=result.complete if result else None,
        reason=_line(visit.reason, masks=masks),
        help=_line(visit.help, masks=masks),
        scan_id=result.id if result else None,
        started_at=result.started_at if result else None,
        exit_code=visit.exit_code,
        report=_address(visit.page, folder) if visit.page else None,
        **(_figures(result) if result else dict.fromkeys(_FIGURES)),
    )


def _figures(result: ScanResult) -> dict[str, Any]:
    totals, states = result.totals(), Counter(one.state for one in _standings(result).values())
    is_compared = _is_compared(result)
    revocation = result.revocation
    return {
        "keys": totals.keys,
        "keys_violating": totals.keys_violating,
        "by_severity": {severity.value: n for severity, n in totals.by_severity.items()},
        "excepted": totals.excepted,
        "undetermined": totals.undetermined,
        "new": states[State.NEW] if is_compared else None,
        "resolved": states[State.RESOLVED] if is_compared else None,
        "revoked": sum(map(is_done, revocation.acts)) if revocation else None,
        "due": _due(revocation) if revocation else None,
    }


def _due(revocation: Revocation) -> int:
    """Count the keys that are due and not revoked yet."""
    done = {act.intent.key_id for act in revocation.acts if act.may_have_changed}
    skipped = {spared.action.key_id for spared in revocation.spared}
    return len({action.key_id for action in revocation.plan.due} - done - skipped)


def _totals(visits: Sequence[Visit]) -> TotalsRow:
    results = [visit.result for visit in visits if visit.result]
    states = Counter(visit.state for visit in visits)
    figures = [_figures(result) for result in results]
    return TotalsRow(
        organizations=len(visits),
        by_state={state.value: states[state] for state in OrganizationState},
        scanned=len(results),
        compared=sum(map(_is_compared, results)),
        **{name: _sum(row[name] for row in figures) for name in _FIGURES},
    )


def _sum(values: Iterable[Any]) -> Any:  # noqa: ANN401 - a count, or counts by word
    """Return the sum of the known values; None if none is known."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], dict):
        return {word: sum(one[word] for one in known) for word in known[0]}
    return sum(known) if known else None


_Found = tuple[int, bool, Visit, Finding, Standing | None]


def _worst(visits: Iterable[Visit]) -> Iterator[_Found]:
    """Yield the critical violations and those new since the previous scan, with a sort key."""
    for visit in visits:
        if visit.result is None:
            continue
        standings = _standings(visit.result)
        for finding in visit.result.violations:
            standing = standings.get(finding.fingerprint)
            is_new = standing is not None and standing.state in _TOLD
            if is_new or finding.severity is Severity.CRITICAL:
                yield finding.severity.rank, not is_new, visit, finding, standing


def _finding(
    visit: Visit, finding: Finding, standing: Standing | None, folder: Path, *, masks: bool
) -> WorstRow:
    row = finding_row(finding, standing)
    page = _address(visit.page, folder) if visit.page else None
    return WorstRow(
        organization=_named(visit, masks=masks),
        report=f"{page}#f-{row.fingerprint}" if page else None,
        **{name: getattr(row, name) for name in type(row).model_fields},
    )


def _standings(result: ScanResult) -> dict[str, Standing]:
    """Return the changes since the previous scan by fingerprint; empty without one."""
    return result.history.by_fingerprint() if result.history and _is_compared(result) else {}


def _is_compared(result: ScanResult) -> bool:
    return result.history is not None and result.history.previous is not None


def _named(visit: Visit, *, masks: bool) -> str | None:
    return without_addresses_in(visit.name) if masks and visit.name else visit.name


def _line(text: str, *, masks: bool) -> str | None:
    """Return text as one line, inert, with secrets masked."""
    *before, last = text.splitlines() or [""]
    line = redact("; ".join([*(one.rstrip(".") for one in before), last]))
    line = visible(without_addresses_in(line) if masks else line)
    shown = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return shown or None


def _address(page: Path, folder: Path) -> str:
    """Return the relative URL from a folder to a page."""
    way = Path(os.path.relpath(page, folder))
    return quote(way.as_posix(), safe="/")
