"""A scan result as OCSF Compliance Findings (class 2003), for a SIEM: one event on each line.

A SIEM alerts on severity and on creation. So only a violation has a severity above informational,
and only one that the history shows as new is created. A `finding_info.uid` occurs once.
Source: https://schema.ocsf.io/1.6.0/classes/compliance_finding
"""

import json
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from scanner.finding import Finding, Outcome, describe
from scanner.inventory import Coverage, Unknown, is_complete
from scanner.lifecycle import Standing, State
from scanner.result import ScanResult
from scanner.severity import Severity
from scanner.words import evidence_texts, title

_VERSION: Final = "1.6.0"
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_SEVERITIES: Final = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_UNKNOWN: Final = (0, "Unknown")
_INFORMATIONAL: Final = _SEVERITIES[Severity.INFO]
_NEW, _IN_PROGRESS, _SUPPRESSED, _RESOLVED = (
    (1, "New"),
    (2, "In Progress"),
    (3, "Suppressed"),
    (4, "Resolved"),
)
_FAIL: Final = (3, "Fail")
_OTHER: Final = 99
_OWNER_TYPES: Final = {"user": (1, "User"), "service_account": (4, "Service")}
_RULE: Final = 1
"""The type of analytic."""

Event = dict[str, Any]
Coded = tuple[int, str]
"""A number that OCSF defines, and its caption."""


def render_ocsf(result: ScanResult) -> str:
    """Render an event for each finding, each resolved finding, and each gap. Plain ASCII."""
    events: dict[str, Event] = {}
    for event in _events(result):
        events.setdefault(event["finding_info"]["uid"], event)
    lines = [json.dumps(event).replace("\x7f", "\\u007f") for event in events.values()]
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
            yield _gap(gap, result)


def _finding(finding: Finding, standing: Standing | None, result: ScanResult) -> Event:
    rule = finding.rule
    activity, status = _lifecycle(finding, standing)
    info: Event = {
        "uid": finding.fingerprint,
        "title": title(finding),
        "desc": rule.why,
        "types": [finding.outcome.value],
        "analytic": {"uid": rule.id, "name": rule.title, "type_id": _RULE, "type": "Rule"},
    }
    if standing and finding.outcome is Outcome.VIOLATED:
        info["first_seen_time"] = _milliseconds(standing.case.first_seen)
        info["last_seen_time"] = _milliseconds(result.started_at)
    words = "; ".join(evidence_texts(finding.evidence))
    severity, verdict, detail = {
        Outcome.VIOLATED: (_SEVERITIES[finding.severity], _FAIL, words),
        Outcome.EXCEPTED: (_INFORMATIONAL, (_OTHER, "Excepted"), _exception(finding)),
        Outcome.UNDETERMINED: (_UNKNOWN, _UNKNOWN, finding.reason or words),
    }[finding.outcome]
    compliance = _compliance(verdict, detail)
    compliance["checks"] = [{"uid": rule.id, "name": rule.title, "desc": rule.reads}]
    if rule.controls:
        compliance["requirements"] = list(rule.controls)
        compliance["standards"] = list(
            dict.fromkeys(control.partition(":")[0] for control in rule.controls)
        )
    return _event(
        result,
        activity=activity,
        severity=severity,
        status=status,
        message=f"{finding.key.name or 'unnamed'}: {title(finding)}",
        finding_info=info,
        compliance=compliance,
        resources=[_resource(finding, result)],
        remediation={"desc": rule.fix},
        unmapped={
            "rule_severity": finding.severity.value,
            "redacted_value": finding.key.redacted_value,
            "key_created_at": _iso(finding.key.created_at),
            "owner_state": describe(finding.owner_state),
        },
    )


def _iso(moment: datetime | Unknown) -> str | None:
    return None if isinstance(moment, Unknown) else moment.isoformat()


def _lifecycle(finding: Finding, standing: Standing | None) -> tuple[Coded, Coded]:
    """Return the activity and the status. Without a history, no finding is known to be new."""
    state = standing.state if standing else None
    if finding.outcome is Outcome.VIOLATED:
        is_new = state in (State.NEW, State.REOPENED)
        return _CREATE if is_new else _UPDATE, _IN_PROGRESS if state and not is_new else _NEW
    activity = _CLOSE if state is State.RESOLVED else _UPDATE
    if finding.outcome is Outcome.EXCEPTED:
        return activity, _SUPPRESSED
    status = {None: _UNKNOWN, State.RESOLVED: _RESOLVED}.get(state, _IN_PROGRESS)
    return activity, status


def _exception(finding: Finding) -> str:
    text = finding.exception
    return f"Excepted until {text.expires}: {text.reason}" if text else "Excepted"


def _resource(finding: Finding, result: ScanResult) -> Event:
    key, project = finding.key, finding.project
    owner_id = "" if isinstance(key.owner.id, Unknown) else key.owner.id
    kind = _OWNER_TYPES.get(describe(key.owner.kind), _UNKNOWN)
    organization = _tenant(result)
    account = {"uid": organization, "name": organization, "type_id": _OTHER}
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
    """Close the finding. Informational: no action is required, and no alert should be raised."""
    case = standing.case
    how = case.resolution.words if case.resolution else "resolved"
    return _event(
        result,
        activity=_CLOSE,
        severity=_INFORMATIONAL,
        status=_RESOLVED,
        message=f"{case.key_name or 'unnamed'}: {how}",
        finding_info={
            "uid": case.fingerprint,
            "title": case.title,
            "types": ["resolved"],
            "first_seen_time": _milliseconds(case.first_seen),
            "last_seen_time": _milliseconds(case.last_seen),
        },
        compliance=_compliance((_OTHER, "Resolved"), how),
        resources=[
            {"uid": case.key_id, "name": case.key_name or "unnamed", "type": "OpenAI API key"}
        ],
        unmapped={"rule_severity": case.severity.value},
    )


def _gap(gap: Coverage, result: ScanResult) -> Event:
    """Report a listing that was not collected to its end, by the same uid in every scan."""
    reason = gap.reason or gap.endpoint
    place = (_tenant(result), gap.project_id or "", gap.collection.value, gap.endpoint)
    return _event(
        result,
        activity=_UPDATE,
        severity=_UNKNOWN,
        status=_UNKNOWN,
        message=reason,
        finding_info={
            "uid": ":".join(("gap", *place)),
            "title": f"Not collected: {gap.collection.value}",
            "types": ["unseen"],
        },
        compliance=_compliance(_UNKNOWN, reason),
    )


def _compliance(verdict: Coded, detail: str) -> Event:
    return {"status_id": verdict[0], "status": verdict[1], "status_details": [detail]}


def _tenant(result: ScanResult) -> str:
    return result.history_name or result.organization or ""


def _event(
    result: ScanResult,
    *,
    activity: Coded,
    severity: Coded,
    status: Coded,
    finding_info: Event,
    **rest: Any,  # noqa: ANN401 - the event's own attributes
) -> Event:
    return {
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": 200300 + activity[0],
        "type_name": f"Compliance Finding: {activity[1]}",
        "time": _milliseconds(result.started_at),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "metadata": {
            "version": _VERSION,
            "uid": f"{result.id}:{finding_info['uid']}",
            "correlation_uid": result.id,
            "tenant_uid": _tenant(result),
            "product": {
                "name": "KeyVigil",
                "vendor_name": "KeyVigil",
                "version": version("keyvigil"),
            },
        },
        "finding_info": finding_info,
        **rest,
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
