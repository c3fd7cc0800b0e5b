"""The models of `keyvigil.overview/1`, documented in docs/report.md.

The models are a stable contract: fields may be added, but are not renamed or redefined.
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
    """The figures of one scan, or the sums of several; unknown values are null.

    `by_severity` counts violations. `new` and `resolved` are changes since the previous scan.
    `revoked` and `due` count keys.
    """

    keys: int | None
    keys_violating: int | None
    by_severity: dict[str, int] | None
    excepted: int | None
    undetermined: int | None
    new: int | None = Field(description="Null without a previous scan.")
    resolved: int | None = Field(description="Null without a previous scan.")
    revoked: int | None = Field(description="Since the previous scan; null without revocation.")
    due: int | None = Field(description="Keys due for revocation; null without revocation.")


class _Who(_Row):
    name: str | None
    state: OrganizationState
    complete: bool | None = Field(description="Whether the scan of these figures is complete.")
    reason: str | None = Field(description="One line: missing data, or the error.")
    help: str | None = Field(description="What to do next about the error.")
    scan_id: str | None
    started_at: datetime | None


class OrganizationRow(FiguresRow, _Who):  # the fields of the last base class come first
    """One organization: figures are null if it was not scanned, for the given `reason`."""

    exit_code: int
    report: str | None = Field(
        description="URL of its HTML report, relative to this file's folder."
    )


class _HowMany(_Row):
    organizations: int
    by_state: dict[str, int]
    scanned: int
    compared: int


class TotalsRow(FiguresRow, _HowMany):
    """Sums over the `scanned` organizations; `new` and `resolved` over the `compared` ones.

    `compared` ones have a previous scan.

    `by_state` counts the `organizations`.
    """


class _Where(_Row):
    organization: str | None
    title: str
    report: str | None = Field(description="URL of the finding in its organization's HTML report.")


class WorstRow(FindingRow, _Where):
    """A violation that is critical, or new, reopened or escalated since the previous scan.

    `state` is null without a previous scan.
    """


class Overview(_Row):
    """The report of many organizations: the most severe `findings`, and the number `omitted`.

    The organizations are in the order of the settings.
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
