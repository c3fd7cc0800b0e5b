"""Rows of the tables <-> scans, finding records and events of the core."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from scanner.lifecycle import Case, Event, Night, PolicySource, Resolution, Standing, State
from scanner.severity import Severity
from scanner.store.schema import cases, scans

CASE: Final = tuple(cases.c[name] for name in Case._fields)
_NIGHT = tuple(
    column.name
    for column in scans.c
    if column.name not in ("policies", "by_severity", "remedy_seconds", "sources")
)


def case_of(row: Row[Any]) -> Case:
    """Convert a row with the columns CASE of `cases`."""
    return Case._make(row)._replace(
        facts=tuple(row.facts),
        severity=Severity(row.severity),
        resolution=None if row.resolution is None else Resolution(row.resolution),
    )


def row_of_case(case: Case, organization: str) -> dict[str, Any]:
    """Return the row for `cases`."""
    return {**case._asdict(), "facts": list(case.facts), "organization": organization}


def night_of(row: Row[Any]) -> Night:
    """Convert a row of `scans`."""
    values = {name: getattr(row, name) for name in _NIGHT}
    counts = dict(row.by_severity)
    return Night(
        **{**values, "rules": None if row.rules is None else dict(row.rules)},
        policies=tuple(row.policies),
        by_severity={severity: counts.get(severity, 0) for severity in Severity},
        remedy_time=timedelta(seconds=row.remedy_seconds),
        sources=tuple(PolicySource(**source) for source in row.sources or ()),
    )


def row_of_night(night: Night) -> dict[str, Any]:
    """Return the row for `scans`."""
    values = {name: getattr(night, name) for name in _NIGHT}
    return {
        **values,
        "policies": list(night.policies),
        "by_severity": {severity.value: count for severity, count in night.by_severity.items()},
        "remedy_seconds": night.remedy_time.total_seconds(),
        "sources": [source._asdict() for source in night.sources],
    }


def event_of(row: Row[Any]) -> Event:
    """Convert a row of `events`."""
    return Event(
        fingerprint=row.fingerprint,
        at=row.at,
        scan_id=row.scan_id,
        state=State(row.state),
        severity=Severity(row.severity),
        resolution=None if row.resolution is None else Resolution(row.resolution),
    )


def row_of_event(standing: Standing, night: Night) -> dict[str, Any]:
    """Return the row for `events`."""
    case = standing.case
    return {
        "scan_id": night.scan_id,
        "fingerprint": case.fingerprint,
        "organization": night.organization,
        "at": night.started_at,
        "state": standing.state,
        "severity": case.severity,
        "resolution": case.resolution,
    }
