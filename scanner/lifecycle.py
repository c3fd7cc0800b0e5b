"""Finding records: the history of findings from scan to scan."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.severity import Severity


class State(StrEnum):
    """The status of a finding record after a scan, compared with the previous scan.

    UNVERIFIED: open, and this scan collected too little to confirm or resolve it. NOT_EVALUATED:
    open, and its rule is not among those of this scan.
    """

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    DEESCALATED = "deescalated"
    UNCHANGED = "unchanged"
    UNVERIFIED = "unverified"
    NOT_EVALUATED = "not_evaluated"
    RESOLVED = "resolved"

    @classmethod
    def _missing_(cls, value: object) -> "State | None":
        """Read the names that records had before they were renamed."""
        return {"lowered": cls.DEESCALATED, "persisting": cls.UNCHANGED}.get(str(value))


class Resolution(StrEnum):
    """Why a violation is resolved. FIXED: the key meets the rule now."""

    KEY_DELETED = "key_deleted"
    KEY_ROTATED = "key_rotated"
    KEY_EXPIRED = "key_expired"
    KEY_DISABLED = "key_disabled"
    OWNER_RESTORED = "owner_restored"
    FIXED = "fixed"
    EXCEPTED = "excepted"
    POLICY_CHANGED = "policy_changed"

    @classmethod
    def _missing_(cls, value: object) -> "Resolution | None":
        """Read the names that records had before they were renamed."""
        return {"owner_back": cls.OWNER_RESTORED, "mended": cls.FIXED}.get(str(value))

    @property
    def is_remedy(self) -> bool:
        """Whether the key or its owner changed, rather than the policy."""
        return self not in (Resolution.EXCEPTED, Resolution.POLICY_CHANGED)

    @property
    def words(self) -> str:
        """Spell it for people: `key deleted`."""
        return self.value.replace("_", " ")


class Case(NamedTuple):
    """A finding record: one fingerprint over time, with the key as last seen in violation.

    `definition` and `grading` are the rule's, `facts` are those that decided. `first_seen` never
    changes; `opened_at` is when it was last opened, for the `openings`-th time. Open while
    `resolved_at` is None.
    """

    fingerprint: str
    rule: str
    policy: str
    title: str
    severity: Severity
    definition: str
    facts: tuple[str, ...]
    key_id: str
    key_name: str | None
    redacted_value: str
    project_id: str | None
    project_name: str | None
    owner_id: str | None
    owner_name: str | None
    owner_email: str | None
    first_seen: datetime
    opened_at: datetime
    last_seen: datetime
    openings: int = 1
    resolved_at: datetime | None = None
    resolution: Resolution | None = None
    grading: str = ""


class Standing(NamedTuple):
    """A finding record after a scan; `before` is its old severity if that changed.

    `reason` states why it is unverified. `by_policy`: only a changed policy explains its new
    severity, its resolution, or its continuation after such a resolution.
    """

    state: State
    case: Case
    before: Severity | None = None
    reason: str = ""
    by_policy: bool = False

    @property
    def is_event(self) -> bool:
        """Whether the record differs from the one after the previous scan."""
        return self.by_policy or self.state not in _UNCHANGED


_UNCHANGED: Final = (State.UNCHANGED, State.UNVERIFIED, State.NOT_EVALUATED)
"""The states of a record that the scan did not change."""


class Event(NamedTuple):
    """A change of a finding record in one scan, as the store keeps it."""

    fingerprint: str
    at: datetime
    scan_id: str
    state: State
    severity: Severity
    resolution: Resolution | None = None


class Turn(NamedTuple):
    """The change of a finding record between two scans; a severity is None while it is not open.

    `resolution` is the latest one.
    """

    fingerprint: str
    before: Severity | None
    after: Severity | None
    resolution: Resolution | None

    @property
    def words(self) -> str:
        """Spell it for people: `resolved, key deleted`."""
        if self.before is None:
            return "opened"
        if self.after is None:
            how = f", {self.resolution.words}" if self.resolution else ""
            return f"resolved{how}"
        return "escalated" if self.after.rank < self.before.rank else "deescalated"


class PolicySource(NamedTuple):
    """A policy's text as one scan read it: `digest` is its SHA-256, in hexadecimal.

    `place` is the name or file it was read from, `shown` the one in reports. `version` is
    KeyVigil's for a shipped policy, "" for others. `is_base`: another policy extends it.
    """

    name: str
    digest: str
    version: str
    place: str
    shown: str
    is_base: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """The counts of one recorded scan. `remedy_time` is the sum over the `remedied` findings.

    `remedied` are those of the `resolved` that the policy does not explain. `rules` has the
    definition of each rule that it evaluated, by id; None: not recorded.
    """

    scan_id: str
    organization: str
    started_at: datetime
    finished_at: datetime
    policies: tuple[str, ...]
    complete: bool
    projects: int
    keys: int
    by_severity: dict[Severity, int]
    excepted: int
    undetermined: int
    opened: int
    resolved: int
    unverified: int
    remedied: int
    remedy_time: timedelta
    not_evaluated: int = 0
    rules: dict[str, str] | None = None
    sources: tuple[PolicySource, ...] = ()

    @property
    def violations(self) -> int:
        """The number of violations it found."""
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """This scan compared with the earlier ones: the finding records, worst first, and the trend.

    `nights` are the latest scans, oldest first, ending with this one. `closed` were resolved in
    the earlier ones, latest first, so that links to them still work.
    """

    standings: tuple[Standing, ...]
    nights: tuple[Night, ...]
    closed: tuple[Case, ...] = ()

    @property
    def previous(self) -> Night | None:
        """The previous scan, if there was one."""
        return self.nights[-2] if len(self.nights) > 1 else None

    def of(self, *states: State) -> tuple[Standing, ...]:
        """Return the finding records in these states."""
        return tuple(standing for standing in self.standings if standing.state in states)

    def by_fingerprint(self) -> dict[str, Standing]:
        """Return the finding records by fingerprint."""
        return {standing.case.fingerprint: standing for standing in self.standings}

    @property
    def oldest_open(self) -> Case | None:
        """The finding record that has been open for the longest time since it last opened."""
        cases = (standing.case for standing in self.standings)
        return min(
            (case for case in cases if case.resolved_at is None),
            key=lambda case: (case.opened_at, case.severity.rank, case.fingerprint),
            default=None,
        )

    @property
    def mean_time_to_remediate(self) -> timedelta | None:
        """The mean time to remediate in these scans; None if no finding was remediated."""
        count = sum(night.remedied for night in self.nights)
        total = sum((night.remedy_time for night in self.nights), timedelta())
        return total / count if count else None
