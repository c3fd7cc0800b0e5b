"""A scan result as SARIF 2.1.0, for code scanning: a finding stands where its rule is written.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from scanner.display import visible
from scanner.formats.json_report import report_of
from scanner.formats.report_rows import FindingRow, Report, RuleRow
from scanner.inventory import CoverageState
from scanner.result import ScanResult
from scanner.words import in_words

LIMIT: Final = 5000
"""Results: GitHub keeps no more of a run."""
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
_SCORES: Final = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.0"}
_BASELINE: Final = {"new": "new", "reopened": "new", "persisting": "unchanged"}

Object = dict[str, Any]


def render_sarif(result: ScanResult) -> str:
    """Render one run; past the limit the least severe are left out, and that is told."""
    report = report_of(result)
    said = ["; ".join(map(in_words, finding.evidence)) for finding in result.findings[:LIMIT]]
    numbers = {rule.id: number for number, rule in enumerate(report.rules)}
    kept = list(zip(report.findings[:LIMIT], said, strict=True))
    run = {
        "tool": {
            "driver": {
                "name": "KeyVigil",
                "version": report.tool.version,
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "automationDetails": {"id": f"keyvigil/{report.scan.id}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [
            _result(finding, words, report.rules[numbers[finding.rule]], numbers[finding.rule])
            for finding, words in kept
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(rule: RuleRow) -> Object:
    return {
        "id": rule.id,
        "shortDescription": {"text": visible(rule.title)},
        "fullDescription": {"text": visible(rule.why)},
        "help": {"text": visible(f"{rule.fix} The rule: {rule.reads}")},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", *map(visible, dict.fromkeys(rule.controls))],
            "security-severity": _SCORES[rule.severity],
        },
    }


def _invocation(report: Report) -> Object:
    told = [
        {
            "level": "note" if gap.state == CoverageState.GONE else "error",
            "message": {"text": visible(gap.reason or gap.endpoint)},
        }
        for row in report.scan.coverage
        for gap in row.gaps
    ]
    if len(report.findings) > LIMIT:
        text = (
            f"Of {len(report.findings):,} findings these are the {LIMIT:,} most severe."
            " The JSON and the CSV report have all."
        )
        told.insert(0, {"level": "warning", "message": {"text": text}})
    return {
        "executionSuccessful": report.scan.complete,
        "startTimeUtc": _moment(report.scan.started_at),
        "endTimeUtc": _moment(report.scan.finished_at),
        "toolExecutionNotifications": told,
    }


def _result(finding: FindingRow, words: str, rule: RuleRow, number: int) -> Object:
    is_open = finding.outcome == "undetermined"
    where = finding.project.name or finding.project.id if finding.project else "organization"
    name = finding.key.name or "unnamed"
    text = f"{name} ({finding.key.id}, {where}): {words}."
    result: Object = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "kind": "open" if is_open else "fail",
        "level": "none" if is_open else _LEVELS[finding.severity],
        "message": {"text": visible(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(rule.file)},
                    "region": {"startLine": rule.line},
                },
                "logicalLocations": [
                    {
                        "name": visible(name),
                        "fullyQualifiedName": visible(f"{where}/{finding.key.id}"),
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {"keyvigil/v1": finding.fingerprint},
        "properties": {"severity": finding.severity},
    }
    if finding.state:
        result["baselineState"] = _BASELINE.get(finding.state, "updated")
    if finding.exception:
        reason = visible(f"{finding.exception.reason} (until {finding.exception.expires})")
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="replace")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
