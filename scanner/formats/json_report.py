"""A scan result as `keyvigil.report/1`."""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from scanner.coverage import by_collection
from scanner.finding import Evidence, ExceptionTally, Finding, Outcome, RuleTally
from scanner.formats.history_rows import history_row, policy_rows
from scanner.formats.report_rows import (
    CoverageRow,
    DisabledRow,
    EvidenceRow,
    ExceptionRow,
    ExemptRow,
    FindingRow,
    GapRow,
    KeyRow,
    OwnerRow,
    ProjectRow,
    Report,
    RuleRow,
    ScanRow,
    ToolRow,
    TotalsRow,
    UnlistedKeyRow,
)
from scanner.formats.revocation_rows import revocation_row
from scanner.inventory import Coverage, Key, Project, Unknown
from scanner.lifecycle import Standing
from scanner.result import ScanResult, UnlistedKey


def render_json(result: ScanResult) -> str:
    """Render the report as JSON in plain ASCII."""
    return in_ascii(report_of(result))


def report_schema() -> dict[str, Any]:
    """Return the format's JSON Schema; docs/report.schema.json is this."""
    return schema_of(Report)


def in_ascii(document: BaseModel) -> str:
    """Render a document in plain ASCII: inert in any terminal, log or page."""
    text = document.model_dump_json(indent=2, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f") + "\n"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a document as it is written."""
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def report_of(result: ScanResult) -> Report:
    """Return the report as typed rows, which other formats are made of, too."""
    totals = result.totals()
    standings = result.history.by_fingerprint() if result.history else {}
    return Report(
        schema_="keyvigil.report/1",
        tool=ToolRow(version=version("keyvigil")),
        scan=ScanRow(
            id=result.id,
            started_at=result.started_at,
            finished_at=result.finished_at,
            organization=result.organization,
            renamed_from=result.renamed_from,
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
            excepted=totals.excepted,
            undetermined=totals.undetermined,
        ),
        policies=policy_rows(result.sources),
        rules=[_rule(tally) for tally in result.rules],
        disabled_rules=[
            DisabledRow(id=rule.id, policy=rule.policy, reason=rule.reason)
            for rule in result.disabled
        ],
        unlisted_keys=list(map(_unlisted, result.unlisted)),
        exceptions=[_exception(tally) for tally in result.exceptions],
        findings=[finding_row(f, standings.get(f.fingerprint)) for f in result.findings],
        history=history_row(result.history) if result.history else None,
        revocation=revocation_row(result.revocation) if result.revocation else None,
    )


def _rule(tally: RuleTally) -> RuleRow:
    return RuleRow(
        id=tally.rule.id,
        policy=tally.rule.policy,
        title=tally.rule.title,
        severity=tally.rule.severity,
        why=tally.rule.why,
        fix=tally.rule.fix,
        controls=list(tally.rule.controls),
        file=tally.rule.file,
        line=tally.rule.line,
        reads=tally.rule.reads,
        applied=tally.applied,
        violated=tally.violated,
        excepted=tally.excepted,
        undetermined=tally.undetermined,
    )


def _unlisted(key: UnlistedKey) -> UnlistedKeyRow:
    return UnlistedKeyRow(
        user_id=key.user_id, name=key.name, email=key.email, last_used_at=key.last_used_at
    )


def _exception(tally: ExceptionTally) -> ExceptionRow:
    text = tally.exception
    return ExceptionRow(
        rules=list(text.rules),
        reason=text.reason,
        owner=text.owner,
        ticket=text.ticket or None,
        expires=text.expires,
        active=tally.active,
        excepted=tally.excepted,
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


def finding_row(finding: Finding, standing: Standing | None) -> FindingRow:
    """Return a finding as a row; `standing` is where it stands since the scan before, if known."""
    if finding.outcome is not Outcome.VIOLATED:
        standing = None
    return FindingRow(
        fingerprint=finding.fingerprint,
        state=standing.state if standing else None,
        first_seen=standing.case.first_seen if standing else None,
        rule=finding.rule.id,
        severity=finding.severity,
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
        exception=_exempt(finding),
    )


def _exempt(finding: Finding) -> ExemptRow | None:
    text = finding.exception
    if text is None:
        return None
    return ExemptRow(
        reason=text.reason, owner=text.owner, ticket=text.ticket or None, expires=text.expires
    )


def _key(key: Key) -> KeyRow:
    dates = {
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
    }
    unknown = [name for name, value in dates.items() if isinstance(value, Unknown)]
    return KeyRow(
        id=key.id,
        kind=_known(key.kind) or "unknown",
        name=key.name,
        redacted_value=key.redacted_value,
        unknown=[*unknown, *(name for name, _ in key.invalid)],
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
