"""The machine format `keyvigil.report/1`, documented in docs/report.md.

These models are the promise: fields are added, never renamed or given another meaning.
"""

from datetime import datetime
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from scanner.finding import Evidence, Finding, ScanResult
from scanner.inventory import Coverage, Key, Project, Unknown, by_collection


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ToolRow(_Row):
    """Who wrote the report."""

    name: Literal["keyvigil"] = "keyvigil"
    version: str


class GapRow(_Row):
    """One listing that was not seen to its end."""

    project_id: str | None
    endpoint: str
    state: str
    pages: int
    items: int
    reason: str | None
    request_id: str | None


class CoverageRow(_Row):
    """One collection: how many listings it took, and which of them are incomplete."""

    collection: str
    state: str
    listings: int
    pages: int
    items: int
    gaps: list[GapRow]


class ScanRow(_Row):
    """The scan itself."""

    id: str
    started_at: datetime
    finished_at: datetime
    organization: str | None
    policies: list[str]
    complete: bool
    coverage: list[CoverageRow]


class TotalsRow(_Row):
    """The figures; `by_severity` counts violations."""

    projects: int
    keys: int
    keys_violating: int
    by_severity: dict[str, int]
    undetermined: int


class RuleRow(_Row):
    """A rule, how many keys it applied to, and what became of them; the rest keep it."""

    id: str
    policy: str
    title: str
    severity: str
    why: str
    fix: str
    controls: list[str]
    applied: int
    violated: int
    undetermined: int


class KeyRow(_Row):
    """The key; `unknown` names the fields that are null because the API did not tell.

    `kind` can be `unknown`.
    """

    id: str
    kind: str
    name: str | None
    redacted_value: str
    created_at: datetime
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
    """One fact that decided."""

    fact: str
    observed: str
    limit: str


class FindingRow(_Row):
    """One rule and one key; `project` is null for admin keys."""

    fingerprint: str
    rule: str
    severity: str
    outcome: Literal["violated", "undetermined"]
    key: KeyRow
    project: ProjectRow | None
    owner: OwnerRow
    evidence: list[EvidenceRow]


class Report(_Row):
    """The whole report."""

    schema_: Literal["keyvigil.report/1"]
    tool: ToolRow
    scan: ScanRow
    totals: TotalsRow
    rules: list[RuleRow]
    findings: list[FindingRow]

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: name.rstrip("_"),
        serialize_by_alias=True,
        validate_by_name=True,
        title="keyvigil.report/1",
    )


def render_json(result: ScanResult) -> str:
    """Render the report as JSON in plain ASCII: inert in any terminal, log or page."""
    text = _report(result).model_dump_json(indent=2, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f") + "\n"


def report_schema() -> dict[str, Any]:
    """Return the format's JSON Schema; docs/report.schema.json is this."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _report(result: ScanResult) -> Report:
    totals = result.totals()
    return Report(
        schema_="keyvigil.report/1",
        tool=ToolRow(version=version("keyvigil")),
        scan=ScanRow(
            id=result.id,
            started_at=result.started_at,
            finished_at=result.finished_at,
            organization=result.organization,
            policies=list(result.policies),
            complete=result.complete,
            coverage=[
                CoverageRow(
                    collection=row.collection,
                    state=row.state,
                    listings=row.listings,
                    pages=row.pages,
                    items=row.items,
                    gaps=[_gap(gap) for gap in row.gaps],
                )
                for row in by_collection(result.coverage)
            ],
        ),
        totals=TotalsRow(
            projects=totals.projects,
            keys=totals.keys,
            keys_violating=totals.keys_violating,
            by_severity={severity.value: n for severity, n in totals.by_severity.items()},
            undetermined=totals.undetermined,
        ),
        rules=[
            RuleRow(
                id=tally.rule.id,
                policy=tally.rule.policy,
                title=tally.rule.title,
                severity=tally.rule.severity,
                why=tally.rule.why,
                fix=tally.rule.fix,
                controls=list(tally.rule.controls),
                applied=tally.applied,
                violated=tally.violated,
                undetermined=tally.undetermined,
            )
            for tally in result.rules
        ],
        findings=[_finding(finding) for finding in result.findings],
    )


def _gap(gap: Coverage) -> GapRow:
    return GapRow(
        project_id=gap.project_id,
        endpoint=gap.endpoint,
        state=gap.state,
        pages=gap.pages,
        items=gap.items,
        reason=gap.reason,
        request_id=gap.request_id,
    )


def _finding(finding: Finding) -> FindingRow:
    return FindingRow(
        fingerprint=finding.fingerprint,
        rule=finding.rule.id,
        severity=finding.rule.severity,
        outcome=finding.outcome.value,
        key=_key(finding.key),
        project=_project(finding.project),
        owner=OwnerRow(
            kind=_known(finding.key.owner.kind) or "unknown",
            id=_known(finding.key.owner.id),
            name=finding.key.owner.name,
            email=finding.owner_email,
            state=_known(finding.owner_state) or "unknown",
        ),
        evidence=[_evidence(evidence) for evidence in finding.evidence],
    )


def _key(key: Key) -> KeyRow:
    dates = {"last_used_at": key.last_used_at, "expires_at": key.expires_at}
    return KeyRow(
        id=key.id,
        kind=_known(key.kind) or "unknown",
        name=key.name,
        redacted_value=key.redacted_value,
        created_at=key.created_at,
        unknown=[name for name, value in dates.items() if isinstance(value, Unknown)],
        **{name: None if isinstance(at, Unknown) else at for name, at in dates.items()},
    )


def _project(project: Project | None) -> ProjectRow | None:
    if project is None:
        return None
    state = _known(project.state) or "unknown"
    return ProjectRow(id=project.id, name=project.name, state=state)


def _evidence(evidence: Evidence) -> EvidenceRow:
    return EvidenceRow(fact=evidence.fact, observed=evidence.observed, limit=evidence.limit)


def _known(value: str | Unknown) -> str | None:
    return None if isinstance(value, Unknown) else value
