"""A scan result as OCSF Detection Findings (class 2004), for a SIEM: an array, an event a line.

Source: https://schema.ocsf.io/1.5.0/classes/detection_finding
"""

import json
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from scanner.finding import Finding, Outcome, describe
from scanner.inventory import Unknown, is_complete
from scanner.lifecycle import Standing, State
from scanner.result import ScanResult
from scanner.severity import Severity
from scanner.words import in_words

_VERSION: Final = "1.5.0"
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_SEVERITIES: Final = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_UNKNOWN: Final = (0, "Unknown")
_NEW, _IN_PROGRESS, _SUPPRESSED, _RESOLVED = (
    (1, "New"),
    (2, "In Progress"),
    (3, "Suppressed"),
    (4, "Resolved"),
)
_OWNER_TYPES: Final = {"user": (1, "User"), "service_account": (4, "Service")}
_RULE: Final = 1
"""The type of analytic."""

Event = dict[str, Any]


def render_ocsf(result: ScanResult) -> str:
    """Render an event for each finding, each finding resolved since, and each gap. Plain ASCII."""
    lines = [json.dumps(event).replace("\x7f", "\\u007f") for event in _events(result)]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _events(result: ScanResult) -> Iterator[Event]:
    standings = result.history.by_fingerprint() if result.history else {}
    for finding in result.findings:
        yield _finding(finding, standings.get(finding.fingerprint), result)
    if result.history:
        for standing in result.history.of(State.RESOLVED):
            yield _resolved(standing, result)
    for gap in result.coverage:
        if not is_complete((gap,)):
            title = f"Not seen: {gap.collection.value}"
            yield _event(
                result,
                activity=_CREATE,
                severity=_UNKNOWN,
                status=_NEW,
                message=gap.reason or gap.endpoint,
                finding_info={
                    "uid": f"gap:{result.id}:{gap.endpoint}",
                    "title": title,
                    "types": ["unseen"],
                },
            )


def _finding(finding: Finding, standing: Standing | None, result: ScanResult) -> Event:
    is_known = standing is not None and standing.state not in (State.NEW, State.REOPENED)
    status = _IN_PROGRESS if is_known else _NEW
    if finding.outcome is Outcome.EXCEPTED:
        status = _SUPPRESSED
    rule = finding.rule
    info: Event = {
        "uid": finding.fingerprint,
        "title": rule.title,
        "desc": rule.why,
        "types": [finding.outcome.value],
        "analytic": {"uid": rule.id, "name": rule.title, "type_id": _RULE, "type": "Rule"},
    }
    if standing and finding.outcome is Outcome.VIOLATED:
        info["first_seen_time"] = _milliseconds(standing.case.first_seen)
        info["last_seen_time"] = _milliseconds(result.started_at)
    words = "; ".join(map(in_words, finding.evidence))
    return _event(
        result,
        activity=_UPDATE if is_known else _CREATE,
        severity=_SEVERITIES[finding.severity],
        status=status,
        message=f"{finding.key.name or 'unnamed'}: {words}",
        finding_info=info,
        resources=[_resource(finding, result.organization)],
        remediation={"desc": rule.fix},
        unmapped={
            "controls": list(rule.controls),
            "redacted_value": finding.key.redacted_value,
            "key_created_at": _iso(finding.key.created_at),
            "owner_state": describe(finding.owner_state),
        },
    )


def _iso(moment: datetime | Unknown) -> str | None:
    return None if isinstance(moment, Unknown) else moment.isoformat()


def _resource(finding: Finding, organization: str | None) -> Event:
    key, project = finding.key, finding.project
    owner_id = "" if isinstance(key.owner.id, Unknown) else key.owner.id
    kind = _OWNER_TYPES.get(describe(key.owner.kind), _UNKNOWN)
    account = {"uid": organization or "", "name": organization or "", "type_id": 99}
    owner = {
        "uid": owner_id,
        "name": key.owner.name or owner_id or "unknown",
        "type_id": kind[0],
        "type": kind[1],
        "account": account | {"type": "OpenAI organization"},
    }
    if finding.owner_email:
        owner["email_addr"] = finding.owner_email
    resource: Event = {
        "uid": key.id,
        "name": key.name or "unnamed",
        "type": "OpenAI API key",
        "owner": owner,
    }
    if project:
        resource["namespace"] = project.name or project.id
    return resource


def _resolved(standing: Standing, result: ScanResult) -> Event:
    case = standing.case
    return _event(
        result,
        activity=_CLOSE,
        severity=_SEVERITIES[case.severity],
        status=_RESOLVED,
        message=f"{case.key_name or 'unnamed'}: {case.resolution.words if case.resolution else ''}",
        finding_info={
            "uid": case.fingerprint,
            "title": case.title,
            "types": ["resolved"],
            "first_seen_time": _milliseconds(case.first_seen),
            "last_seen_time": _milliseconds(case.last_seen),
        },
        resources=[
            {"uid": case.key_id, "name": case.key_name or "unnamed", "type": "OpenAI API key"}
        ],
    )


def _event(
    result: ScanResult,
    *,
    activity: tuple[int, str],
    severity: tuple[int, str],
    status: tuple[int, str],
    **rest: Any,  # noqa: ANN401 - the event's own attributes
) -> Event:
    return {
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": 200400 + activity[0],
        "type_name": f"Detection Finding: {activity[1]}",
        "time": _milliseconds(result.started_at),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "metadata": {
            "version": _VERSION,
            "uid": result.id,
            "tenant_uid": result.organization or "",
            "product": {
                "name": "KeyVigil",
                "vendor_name": "KeyVigil",
                "version": version("keyvigil"),
            },
        },
        **rest,
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
