"""A scan result as SARIF 2.1.0, for code scanning: each result is at the line of its rule.

GitHub opens an alert for every result and ignores `kind` and `suppressions`. So results are
violations only; what could not be determined is a notification of the run.
Sources: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import Any, Final
from urllib.parse import quote

from scanner.bundled import POLICIES, bundled
from scanner.display import visible
from scanner.finding import Finding
from scanner.formats.finding_rows import FindingRow, finding_rows
from scanner.formats.json_report import summary_of
from scanner.formats.report_rows import RuleRow, Summary
from scanner.result import ScanResult, undecided
from scanner.words import evidence_texts

PAGES: Final[str] = ""
"""The base URL of the project's pages, with a final slash. Set by a release."""
LIMIT: Final = 5000
"""Maximum number of results that GitHub shows for a run."""
NOTIFICATIONS: Final = 200
"""Maximum gaps listed one by one, and groups of undetermined findings; others are counted."""
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
_SCORES: Final = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.0"}
_BASELINE: Final = {"new": "new", "reopened": "new", "unchanged": "unchanged"}
_GAP, _UNDETERMINED, _CUT = "coverage-gap", "undetermined", "cut"
_KINDS: Final = {
    _GAP: "A listing was not collected to its end.",
    _UNDETERMINED: "A rule could not be evaluated for some keys: neither a pass nor a violation.",
    _CUT: "Some results or notifications are omitted.",
}
"""Notification kinds and their descriptions."""
_ELSEWHERE: Final = "POLICIES"
"""Replaces the folder of a policy outside the working folder: paths contain user and host names."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 60
_DIGEST: Final = 8

Object = dict[str, Any]


def render_sarif(result: ScanResult) -> str:
    """Render one run; past the limit the least severe results are omitted, and counted."""
    report = summary_of(result)
    numbers = {rule.id: number for number, rule in enumerate(report.rules)}
    places = [_artifact(rule.file) for rule in report.rules]
    violated = [
        (row, finding)
        for row, finding in zip(finding_rows(result), result.findings, strict=True)
        if row.outcome == "violated"
    ]
    results = [
        _result(row, finding, number, _location(places[number], report.rules[number].line))
        for row, finding in violated[:LIMIT]
        for number in (numbers[row.rule],)
    ]
    notifications = [
        *_cut(len(violated)),
        *_capped(list(_gaps(report)), "gaps"),
        *_capped(list(_undetermined(result, numbers)), "groups of undetermined findings"),
    ]
    run: Object = {
        "tool": {"driver": _driver(report)},
        "automationDetails": {"id": f"{_category(result)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": report.scan.complete,
                "startTimeUtc": _moment(report.scan.started_at),
                "endTimeUtc": _moment(report.scan.finished_at),
                "toolExecutionNotifications": notifications,
            }
        ],
        "results": results,
        "properties": {
            "scan": report.scan.id,
            "organization": visible(report.scan.organization or ""),
        },
    }
    if any("uriBaseId" in place for place in places):
        text = "The folder of a policy outside the folder in which KeyVigil ran."
        run["originalUriBaseIds"] = {_ELSEWHERE: {"description": {"text": text}}}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _category(result: ScanResult) -> str:
    """Return the category: an upload closes the alerts of the last one with the same category.

    GitHub takes what is before the last slash of `automationDetails.id`.
    """
    organization = result.history_name or result.organization or "organization"
    policies = ":".join(map(_segment, sorted(result.policies)))
    return f"keyvigil/{_segment(organization)}/{policies}"


def _segment(name: str) -> str:
    """Return a name in characters valid in a category, with a digest to keep it unique."""
    plain = unicodedata.normalize("NFC", name)
    safe = _UNSAFE.sub("-", plain)[:_LONGEST]
    if safe == plain:
        return safe
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{safe.strip('-')}-{digest}"


def _artifact(file: str) -> Object:
    """Return where a policy's file is, relative to the working folder; never a path outside it."""
    path, foreign = Path(os.path.normpath(file)), PureWindowsPath(file)
    is_foreign = foreign.is_absolute() and not path.is_absolute()
    if is_foreign or (inside := _inside_working_folder(path)) is None:
        name = foreign.name if is_foreign else path.name
        return {"uri": _uri(Path(name)), "uriBaseId": _ELSEWHERE}
    return {"uri": _uri(inside)}


def _inside_working_folder(path: Path) -> Path | None:
    if not path.is_absolute() and path.parts[:1] != ("..",):
        return path
    try:
        folder = Path.cwd()
    except OSError:  # it was deleted
        return None
    path = Path(os.path.normpath(folder / path))
    for one, base in ((path, folder), (path.resolve(), folder.resolve())):
        if one.is_relative_to(base):
            return one.relative_to(base)
    return None


def _uri(path: Path) -> str:
    return quote(os.fsencode(path.as_posix()))


def _location(artifact: Object, line: int) -> Object:
    return {"artifactLocation": artifact, "region": {"startLine": line}}


def _driver(report: Summary) -> Object:
    driver: Object = {
        "name": "KeyVigil",
        "version": report.tool.version,
        "rules": [_rule(rule) for rule in report.rules],
        "notifications": [
            {"id": kind, "shortDescription": {"text": text}} for kind, text in _KINDS.items()
        ],
    }
    return {**driver, "informationUri": PAGES} if PAGES else driver


def _rule(rule: RuleRow) -> Object:
    described: Object = {
        "id": rule.id,
        "shortDescription": {"text": visible(rule.finding)},
        "fullDescription": {"text": visible(f"{rule.title}. {rule.why}")},
        "help": {"text": visible(f"{rule.fix} The rule: {rule.reads}")},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", *map(visible, dict.fromkeys(rule.controls))],
            "security-severity": _SCORES[rule.severity],
        },
    }
    if PAGES and _is_shipped(rule):
        described["helpUri"] = f"{PAGES}rules/{rule.id}"
    return described


def _is_shipped(rule: RuleRow) -> bool:
    folder, _, name = rule.file.rpartition("/")
    return folder == POLICIES and (bundled(POLICIES) / name).is_file()


def _cut(violations: int) -> Iterator[Object]:
    if violations > LIMIT:
        text = (
            f"Of {violations:,} violations these are the {LIMIT:,} most severe."
            " The JSON and CSV reports contain all."
        )
        yield _notification(_CUT, "warning", text)


def _gaps(report: Summary) -> Iterator[Object]:
    for row in report.scan.coverage:
        for gap in row.gaps:
            text = f"{row.collection}: {gap.reason or gap.endpoint}"
            yield _notification(_GAP, "error", text)


def _undetermined(result: ScanResult, numbers: dict[str, int]) -> Iterator[Object]:
    for group in undecided(result.undetermined):
        count = len(group.findings)
        keys = "1 key" if count == 1 else f"{count:,} keys"
        why = f": {group.reason}" if group.reason else ""
        text = f"{group.rule.defect}: undetermined for {keys}{why}"
        yield _notification(_UNDETERMINED, "warning", text) | {
            "associatedRule": {"id": group.rule.id, "index": numbers[group.rule.id]},
            "properties": {"keys": count, "severity": group.severity.value},
        }


def _capped(notifications: list[Object], what: str) -> Iterator[Object]:
    yield from notifications[:NOTIFICATIONS]
    if (more := len(notifications) - NOTIFICATIONS) > 0:
        text = f"{more:,} more {what} are omitted. The JSON and CSV reports contain all."
        yield _notification(_CUT, "warning", text)


def _notification(kind: str, level: str, text: str) -> Object:
    return {"descriptor": {"id": kind}, "level": level, "message": {"text": visible(text)}}


def _result(row: FindingRow, finding: Finding, number: int, location: Object) -> Object:
    where = row.project.name or row.project.id if row.project else "organization"
    name = row.key.name or "unnamed"
    evidence = "; ".join(evidence_texts(finding.evidence))
    result: Object = {
        "ruleId": row.rule,
        "ruleIndex": number,
        "kind": "fail",
        "level": _LEVELS[row.severity],
        "message": {"text": visible(f"{name} ({row.key.id}, {where}): {row.title}.")},
        "locations": [
            {
                "physicalLocation": location,
                "logicalLocations": [
                    {
                        "name": visible(name),
                        "fullyQualifiedName": visible(f"{where}/{row.key.id}"),
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {"keyvigil/v1": row.fingerprint},
        "properties": {"severity": row.severity, "evidence": visible(evidence)},
    }
    if row.state:
        result["baselineState"] = _BASELINE.get(row.state, "updated")
    return result


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
