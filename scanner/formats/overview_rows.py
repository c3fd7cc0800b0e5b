"""What `keyvigil.overview/1` is made of, documented in docs/report.md.

These models are the promise: fields are added, never renamed or given another meaning.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scanner.formats.finding_rows import FindingRow
from scanner.formats.report_rows import ToolRow
from scanner.formats.visit import OrganizationState


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class FiguresRow(_Row):
    """The figures of one scan, or of several together; null is what nobody knows.

    `by_severity` counts violations, `new` and `resolved` are since the scan before, `revoked` and
    `due` count keys.
    """

    keys: int | None
    keys_violating: int | None
    by_severity: dict[str, int] | None
    excepted: int | None
    undetermined: int | None
    new: int | None = Field(description="Null where there is no scan before.")
    resolved: int | None = Field(description="Null where there is no scan before.")
    revoked: int | None = Field(description="Since the scan before; null without revocation.")
    due: int | None = Field(description="To be revoked; null without revocation.")


class _Who(_Row):
    name: str | None
    state: OrganizationState
    complete: bool | None = Field(description="Whether the scan that the figures are of is.")
    reason: str | None = Field(description="One line: what was not seen, or went wrong.")
    help: str | None = Field(description="What to do next about what went wrong.")
    scan_id: str | None
    started_at: datetime | None


class OrganizationRow(FiguresRow, _Who):  # the fields of the last base come first
    """One organization: figures are null if it was not seen, and `reason` says why."""

    exit_code: int
    report: str | None = Field(description="Address of its HTML report, from this file's folder.")


class _HowMany(_Row):
    organizations: int
    by_state: dict[str, int]
    scanned: int
    compared: int


class TotalsRow(FiguresRow, _HowMany):
    """The figures of those `scanned`; `new` and `resolved` of those `compared` with a scan before.

    `by_state` counts the `organizations`.
    """


class _Where(_Row):
    organization: str | None
    title: str
    report: str | None = Field(description="Address of it in its organization's HTML report.")


class WorstRow(FindingRow, _Where):
    """A violation that is critical, or new, reopened or escalated since the scan before.

    `state` is null where there is no scan before.
    """


class Overview(_Row):
    """The whole report of many organizations; `findings` are the worst, `omitted` how many more.

    The organizations stand in the order of the settings.
    """

    schema_: Literal["keyvigil.overview/1"]
    tool: ToolRow
    started_at: datetime
    finished_at: datetime
    totals: TotalsRow
    organizations: list[OrganizationRow]
    findings: list[WorstRow]
    omitted: int

    model_config = ConfigDict(
        frozen=True,
        alias_generator=lambda name: name.rstrip("_"),
        serialize_by_alias=True,
        validate_by_name=True,
        title="keyvigil.overview/1",
    )
