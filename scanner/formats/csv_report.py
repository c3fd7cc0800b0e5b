"""A scan result as a table for spreadsheets: a row for each finding, and for each gap."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from scanner.display import visible
from scanner.formats.finding_rows import FindingRow, finding_rows
from scanner.formats.json_report import summary_of
from scanner.formats.report_rows import CoverageRow, GapRow, RuleRow, Summary
from scanner.result import ScanResult

COLUMNS: Final = (
    "outcome",
    "severity",
    "state",
    "rule",
    "title",
    "key_id",
    "key_name",
    "key_kind",
    "redacted_value",
    "project_id",
    "project_name",
    "project_state",
    "owner_id",
    "owner_name",
    "owner_email",
    "owner_kind",
    "owner_state",
    "evidence",
    "created_at",
    "last_used_at",
    "expires_at",
    "first_seen",
    "fix",
    "controls",
    "exception",
    "exception_expires",
    "fingerprint",
    "organization",
    "scan",
    "scan_started_at",
    "scan_complete",
)
UNSEEN: Final = "unseen"
"""The outcome in the row of a gap, so that an incomplete scan does not look clean."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Cells = dict[str, object]


def render_csv(result: ScanResult) -> str:
    """Render RFC 4180 in UTF-8; untrusted text never becomes a formula."""
    report = summary_of(result)
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    scan = report.scan
    every: Cells = {
        "organization": scan.organization,
        "scan": scan.id,
        "scan_started_at": scan.started_at.isoformat(),
        "scan_complete": "yes" if scan.complete else "no",
    }
    for row in _rows(report, result):
        table.writerow({name: _inert(value) for name, value in {**row, **every}.items()})
    return text.getvalue()


def _rows(report: Summary, result: ScanResult) -> Iterator[Cells]:
    rules = {rule.id: rule for rule in report.rules}
    for finding in finding_rows(result):
        yield _finding(finding, rules[finding.rule])
    for coverage in report.scan.coverage:
        for gap in coverage.gaps:
            yield _gap(coverage, gap)


def _finding(finding: FindingRow, rule: RuleRow) -> Cells:
    key, owner, project, exempt = finding.key, finding.owner, finding.project, finding.exception
    cells: Cells = {
        "outcome": finding.outcome,
        "severity": finding.severity,
        "state": finding.state,
        "rule": finding.rule,
        "title": finding.title,
        "evidence": "; ".join(f"{e.fact} {e.observed} ({e.limit})" for e in finding.evidence),
        "first_seen": finding.first_seen and finding.first_seen.isoformat(),
        "fix": rule.fix,
        "controls": " ".join(rule.controls),
        "fingerprint": finding.fingerprint,
        "key_id": key.id,
        "key_name": key.name,
        "key_kind": key.kind,
        "redacted_value": key.redacted_value,
    }
    for name in ("created_at", "last_used_at", "expires_at"):
        moment = getattr(key, name)
        absent = "unknown" if name in key.unknown else "never"
        cells[name] = moment.isoformat() if moment else absent
    for name in ("id", "name", "email", "kind", "state"):
        cells[f"owner_{name}"] = getattr(owner, name)
    if project:
        for name in ("id", "name", "state"):
            cells[f"project_{name}"] = getattr(project, name)
    if exempt:
        cells |= {"exception": exempt.reason, "exception_expires": exempt.expires.isoformat()}
    return cells


def _gap(coverage: CoverageRow, gap: GapRow) -> Cells:
    return {
        "outcome": UNSEEN,
        "title": f"{coverage.collection}: {gap.state}",
        "project_id": gap.project_id,
        "evidence": gap.reason,
    }


def _inert(value: object) -> str:
    """Return a cell that a spreadsheet shows as text and does not evaluate."""
    if value is None:
        return ""
    text = str(value)
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)
