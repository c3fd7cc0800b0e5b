"""A scan result as `keyvigil.report/1`."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from scanner.coverage import by_collection
from scanner.finding import ExceptionTally, RuleTally
from scanner.formats.finding_rows import listed_findings, listed_keys
from scanner.formats.history_rows import history_row, policy_rows
from scanner.formats.report_rows import (
    CoverageRow,
    DisabledRow,
    ExceptionRow,
    GapRow,
    Report,
    RuleRow,
    ScanRow,
    Summary,
    ToolRow,
    TotalsRow,
    UnlistedKeyRow,
)
from scanner.formats.revocation_rows import revocation_row
from scanner.inventory import Coverage
from scanner.result import ScanResult, UnlistedKey


def render_json(result: ScanResult) -> str:
    """Render the report as JSON in plain ASCII, each key and each finding on a line of its own."""
    report = report_of(result)
    head = in_ascii(report, exclude={"keys", "findings"}).removesuffix("\n}\n")
    keys, findings = _lines(report.keys), _lines(report.findings)
    return f'{head},\n  "keys": [{keys}],\n  "findings": [{findings}]\n}}\n'


def _lines(rows: Iterable[BaseModel]) -> str:
    lines = ",\n    ".join(_ascii(row) for row in rows)
    return f"\n    {lines}\n  " if lines else ""


def report_schema() -> dict[str, Any]:
    """Return the format's JSON Schema, stored as docs/report.schema.json."""
    return schema_of(Report)


def in_ascii(document: BaseModel, exclude: set[str] | None = None) -> str:
    """Render a document in plain ASCII: inert in any terminal, log or page."""
    return _ascii(document, indent=2, exclude=exclude) + "\n"


def _ascii(document: BaseModel, indent: int | None = None, exclude: set[str] | None = None) -> str:
    text = document.model_dump_json(indent=indent, ensure_ascii=True, exclude=exclude)
    return text.replace("\x7f", "\\u007f")


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a serialized document."""
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def report_of(result: ScanResult) -> Report:
    """Return the report as typed rows."""
    return Report(
        **dict(summary_of(result)), keys=listed_keys(result), findings=listed_findings(result)
    )


def summary_of(result: ScanResult) -> Summary:
    """Return the report without keys and findings, also used by other formats."""
    totals = result.totals()
    return Summary(
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
        history=history_row(result.history) if result.history else None,
        revocation=revocation_row(result.revocation) if result.revocation else None,
    )


def _rule(tally: RuleTally) -> RuleRow:
    return RuleRow(
        id=tally.rule.id,
        policy=tally.rule.policy,
        title=tally.rule.title,
        finding=tally.rule.defect,
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
