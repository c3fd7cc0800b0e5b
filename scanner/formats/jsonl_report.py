"""A scan result as JSON lines, for log pipelines: the scan, then each finding on a line."""

import json
from collections.abc import Iterator
from typing import Any

from scanner.formats.finding_rows import finding_rows
from scanner.formats.json_report import summary_of
from scanner.result import ScanResult

_OF_RULE = frozenset({"id", "policy", "title", "finding", "why", "fix", "controls"})


def render_jsonl(result: ScanResult) -> str:
    """Render a line of type `scan`, without rules and findings, and one of type `finding` for each.

    A finding's line contains its scan id and its rule, so no other line is needed. Plain ASCII.
    """
    return "".join(f"{json.dumps(line)}\n".replace("\x7f", "\\u007f") for line in _lines(result))


def _lines(result: ScanResult) -> Iterator[dict[str, Any]]:
    report = summary_of(result)
    rules = {rule.id: rule.model_dump(include=set(_OF_RULE)) for rule in report.rules}
    yield {"type": "scan", **report.model_dump(mode="json", exclude={"rules"})}
    of_scan = {
        "type": "finding",
        "scan": report.scan.id,
        "started_at": report.model_dump(mode="json", include={"scan"})["scan"]["started_at"],
        "organization": report.scan.organization,
    }
    for finding in finding_rows(result):
        row = finding.model_dump(mode="json")
        yield {**of_scan, **row, "rule": rules[finding.rule]}
