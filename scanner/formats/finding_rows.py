"""Findings as rows: complete, or with references to a list of keys."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from scanner.finding import Evidence, Finding, Outcome
from scanner.inventory import Key, Project, Unknown
from scanner.lifecycle import Standing, State
from scanner.result import ScanResult
from scanner.words import title


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class KeyRow(_Row):
    """The key; `unknown` names the fields that are null because no valid value was collected.

    `kind` can be `unknown`.
    """

    id: str
    kind: str
    name: str | None
    redacted_value: str
    created_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    unknown: list[str]


class ProjectRow(_Row):
    """The key's project; `state` can be `unknown`."""

    id: str
    name: str | None
    state: str


class OwnerRow(_Row):
    """The key's owner; `kind` and `state` can be `unknown`."""

    kind: str
    id: str | None
    name: str | None
    email: str | None
    state: str


class EvidenceRow(_Row):
    """One fact on which the outcome is based."""

    fact: str
    observed: str
    limit: str


class ExemptRow(_Row):
    """The exception of a finding: reason, owner, and the last day on which it applies."""

    reason: str
    owner: str
    ticket: str | None
    expires: date


class _FoundRow(_Row):
    fingerprint: str
    state: State | None
    first_seen: datetime | None
    rule: str
    severity: str
    outcome: Literal["violated", "excepted", "undetermined"]


class FindingRow(_FoundRow):
    """One rule and one key; `project` is null for admin keys.

    `title` is the rule's `finding` with the key's values. `state` and `first_seen` are null without
    a history, and where the outcome is not `violated`.
    """

    key: KeyRow
    project: ProjectRow | None
    owner: OwnerRow
    title: str
    evidence: list[EvidenceRow]
    exception: ExemptRow | None


class ListedKeyRow(KeyRow):
    """A key with findings; `project` is null for admin keys."""

    project: ProjectRow | None
    owner: OwnerRow


class KeyReference(_Row):
    """The key of a finding; `keys` has all its fields."""

    id: str
    kind: str
    name: str | None


class ProjectReference(_Row):
    """The project of a finding's key; `keys` has all its fields."""

    id: str


class ListedFindingRow(_FoundRow):
    """One rule and one of the `keys`; `project` is null for admin keys.

    `state` and `first_seen` are null without a history, and where the outcome is not `violated`.
    """

    key: KeyReference
    project: ProjectReference | None
    evidence: list[EvidenceRow]
    exception: ExemptRow | None


def finding_rows(result: ScanResult) -> Iterator[FindingRow]:
    """Yield each finding with its key, most severe first."""
    standings = result.history.by_fingerprint() if result.history else {}
    for finding in result.findings:
        yield finding_row(finding, standings.get(finding.fingerprint))


def finding_row(finding: Finding, standing: Standing | None) -> FindingRow:
    """Return a finding as a row; `standing` is its change since the previous scan, if known."""
    return FindingRow(
        **_found(finding, standing),
        key=KeyRow(**_key_fields(finding.key)),
        project=_project(finding.project),
        owner=_owner(finding),
        title=title(finding),
    )


def listed_keys(result: ScanResult) -> list[ListedKeyRow]:
    """Return each key with findings once, in the order of its first finding."""
    first = {finding.key.id: finding for finding in reversed(result.findings)}
    keys = dict.fromkeys(finding.key.id for finding in result.findings)
    return [
        ListedKeyRow(
            **_key_fields(first[key_id].key),
            project=_project(first[key_id].project),
            owner=_owner(first[key_id]),
        )
        for key_id in keys
    ]


def listed_findings(result: ScanResult) -> list[ListedFindingRow]:
    """Return each finding, most severe first."""
    standings = result.history.by_fingerprint() if result.history else {}
    return [_listed(finding, standings) for finding in result.findings]


def _listed(finding: Finding, standings: Mapping[str, Standing]) -> ListedFindingRow:
    key, project = finding.key, finding.project
    return ListedFindingRow(
        **_found(finding, standings.get(finding.fingerprint)),
        key=KeyReference(id=key.id, kind=_known(key.kind) or "unknown", name=key.name),
        project=ProjectReference(id=project.id) if project else None,
    )


def _found(finding: Finding, standing: Standing | None) -> dict[str, Any]:
    if finding.outcome is not Outcome.VIOLATED:
        standing = None
    return {
        "fingerprint": finding.fingerprint,
        "state": standing.state if standing else None,
        "first_seen": standing.case.first_seen if standing else None,
        "rule": finding.rule.id,
        "severity": finding.severity,
        "outcome": finding.outcome.value,
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "exception": _exempt(finding),
    }


def _owner(finding: Finding) -> OwnerRow:
    return OwnerRow(
        kind=_known(finding.key.owner.kind) or "unknown",
        id=_known(finding.key.owner.id),
        name=finding.key.owner.name,
        email=finding.owner_email,
        state=_known(finding.owner_state) or "unknown",
    )


def _exempt(finding: Finding) -> ExemptRow | None:
    text = finding.exception
    if text is None:
        return None
    return ExemptRow(
        reason=text.reason, owner=text.owner, ticket=text.ticket or None, expires=text.expires
    )


def _key_fields(key: Key) -> dict[str, Any]:
    dates = {
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
    }
    unknown = [name for name, value in dates.items() if isinstance(value, Unknown)]
    return {
        "id": key.id,
        "kind": _known(key.kind) or "unknown",
        "name": key.name,
        "redacted_value": key.redacted_value,
        "unknown": [*unknown, *(name for name, _ in key.invalid)],
        **{name: None if isinstance(at, Unknown) else at for name, at in dates.items()},
    }


def _project(project: Project | None) -> ProjectRow | None:
    if project is None:
        return None
    state = _known(project.state) or "unknown"
    return ProjectRow(id=project.id, name=project.name, state=state)


def _evidence(evidence: Evidence) -> EvidenceRow:
    return EvidenceRow(fact=evidence.fact, observed=evidence.observed, limit=evidence.limit)


def _known(value: str | Unknown) -> str | None:
    return None if isinstance(value, Unknown) else value
