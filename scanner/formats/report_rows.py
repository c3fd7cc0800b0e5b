"""The models of `keyvigil.report/1`, documented in docs/report.md.

The models are a stable contract: fields may be added, but are not renamed or redefined.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from scanner.formats.finding_rows import ExemptRow, ListedFindingRow, ListedKeyRow
from scanner.formats.revocation_rows import RevocationRow
from scanner.lifecycle import Resolution


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ToolRow(_Row):
    """The tool that wrote the report."""

    name: Literal["keyvigil"] = "keyvigil"
    version: str


class GapRow(_Row):
    """One listing that was not collected completely."""

    project_id: str | None
    endpoint: str
    state: str
    pages: int
    items: int
    reason: str | None
    request_id: str | None


class CoverageRow(_Row):
    """One collection: the number of its listings, and the incomplete ones."""

    collection: str
    state: str
    listings: int
    pages: int
    items: int
    gaps: list[GapRow]


class ScanRow(_Row):
    """The scan itself.

    `renamed_from` is the former name of the history, if this scan renamed it.
    """

    id: str
    started_at: datetime
    finished_at: datetime
    organization: str | None
    renamed_from: str | None
    policies: list[str]
    complete: bool
    coverage: list[CoverageRow]


class TotalsRow(_Row):
    """The figures; `by_severity` counts violations."""

    projects: int
    keys: int
    keys_violating: int
    by_severity: dict[str, int]
    excepted: int
    undetermined: int


class RuleRow(_Row):
    """A rule, the number of keys it applied to, and their outcomes; the other keys comply.

    `title` is the requirement, `finding` the defect. `file` and `line` are where the rule was last
    defined or changed, `reads` is its condition.
    """

    id: str
    policy: str
    title: str
    finding: str
    severity: str
    why: str
    fix: str
    controls: list[str]
    file: str
    line: int
    reads: str
    applied: int
    violated: int
    excepted: int
    undetermined: int


class UnlistedKeyRow(_Row):
    """A user of a key that is not listed: a legacy user key, or one deleted since."""

    user_id: str
    name: str | None
    email: str | None
    last_used_at: datetime


class DisabledRow(_Row):
    """A rule of an extended policy that a policy disables."""

    id: str
    policy: str
    reason: str


class ExceptionRow(ExemptRow):
    """An exception from rules; not `active` if expired. `excepted` counts findings."""

    rules: list[str]
    active: bool
    excepted: int


class CaseRow(_Row):
    """A finding of earlier scans, with the key as last collected in violation."""

    fingerprint: str
    rule: str
    title: str
    severity: str
    key_id: str
    key_name: str | None
    redacted_value: str
    project_id: str | None
    project_name: str | None
    owner_name: str | None
    owner_email: str | None
    first_seen: datetime
    last_seen: datetime


class ResolvedRow(CaseRow):
    """A resolved finding and its resolution."""

    resolution: Resolution


class UnverifiedRow(CaseRow):
    """An open finding that this scan could not verify, and the `reason`."""

    reason: str


class PolicyRow(_Row):
    """A policy used by a scan, directly or because another extends it.

    `digest` is the SHA-256 of its text; `version` is KeyVigil's, for a policy that ships with it.
    """

    name: str
    digest: str
    version: str | None


class NightRow(_Row):
    """The figures of one recorded scan; `opened` counts new and reopened findings.

    `policies` is empty where they were not recorded.
    """

    scan: str
    started_at: datetime
    complete: bool
    keys: int
    by_severity: dict[str, int]
    opened: int
    resolved: int
    unverified: int
    not_evaluated: int
    policies: list[PolicyRow]


class HistoryRow(_Row):
    """The changes since `previous`, which is null for the first scan; `states` counts findings.

    `scans` are the latest, oldest first, and end with this one. The mean time is in seconds.
    """

    previous: str | None
    states: dict[str, int]
    resolved: list[ResolvedRow]
    unverified: list[UnverifiedRow]
    scans: list[NightRow]
    mean_time_to_remediate: float | None
    oldest_open: CaseRow | None


class Summary(_Row):
    """The report without keys and findings."""

    schema_: Literal["keyvigil.report/1"]
    tool: ToolRow
    scan: ScanRow
    totals: TotalsRow
    policies: list[PolicyRow]
    rules: list[RuleRow]
    disabled_rules: list[DisabledRow]
    unlisted_keys: list[UnlistedKeyRow]
    exceptions: list[ExceptionRow]
    history: HistoryRow | None
    revocation: RevocationRow | None

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: name.rstrip("_"),
        serialize_by_alias=True,
        validate_by_name=True,
    )


class Report(Summary):
    """The whole report: each key with findings once, and the findings, most severe first."""

    keys: list[ListedKeyRow]
    findings: list[ListedFindingRow]

    model_config = ConfigDict(title="keyvigil.report/1")
