"""What becomes of findings from night to night."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.severity import Severity


class State(StrEnum):
    """Where a violation stands after a scan, compared with the scan before.

    UNVERIFIED: open, and not seen well enough tonight to say more. NOT_EVALUATED: open, and its
    rule is not among those of this scan.
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
        """Whether something was done about the key, and not about the policy."""
        return self not in (Resolution.EXCEPTED, Resolution.POLICY_CHANGED)

    @property
    def words(self) -> str:
        """Spell it for people: `key deleted`."""
        return self.value.replace("_", " ")


class Case(NamedTuple):
    """One fingerprint through all nights, with the key as it was last seen in violation.

    `definition` and `grading` are the rule's, `facts` are those that decided. `first_seen` never
    moves; `opened_at` is when it was last found anew, for the `openings`-th time. Open while
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
    """A case after a scan; `before` is its severity if that changed, `reason` why unverified.

    `by_policy`: what changed since the scan before follows from another policy alone. That holds
    for another severity, for the end of a case, and for one that goes on after such an end.
    """

    state: State
    case: Case
    before: Severity | None = None
    reason: str = ""
    by_policy: bool = False

    @property
    def is_event(self) -> bool:
        """Whether the case is otherwise than after the scan before."""
        return self.by_policy or self.state not in _UNCHANGED


_UNCHANGED: Final = (State.UNCHANGED, State.UNVERIFIED, State.NOT_EVALUATED)
"""Where a case is after a scan that changed nothing about it."""


class Event(NamedTuple):
    """Something that happened to a case in a scan: what the store keeps of each night."""

    fingerprint: str
    at: datetime
    scan_id: str
    state: State
    severity: Severity
    resolution: Resolution | None = None


class Turn(NamedTuple):
    """What became of a case between two scans; a severity is None while it is not open.

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

    `place` is the name or the file by which it was read, `shown` the one that reports show.
    `version` is KeyVigil's for a policy that ships with it, "" for others. `is_base`: it was read
    because another one extends it.
    """

    name: str
    digest: str
    version: str
    place: str
    shown: str
    is_base: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One recorded scan in figures. `remedied` of the `resolved` took `remedy_time` together.

    `rules` has the definition of each rule that it evaluated, by id; None: not recorded.
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
        """How many violations it found."""
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Tonight beside the nights before: where every case stands, worst first, and the trend.

    `nights` are the latest, oldest first, and end with tonight. `closed` were resolved in those
    before it, the latest first, so that what pointed to them still finds them.
    """

    standings: tuple[Standing, ...]
    nights: tuple[Night, ...]
    closed: tuple[Case, ...] = ()

    @property
    def previous(self) -> Night | None:
        """The night before, if there was one."""
        return self.nights[-2] if len(self.nights) > 1 else None

    def of(self, *states: State) -> tuple[Standing, ...]:
        """Return what stands so."""
        return tuple(standing for standing in self.standings if standing.state in states)

    def by_fingerprint(self) -> dict[str, Standing]:
        """Return where each case stands, by its fingerprint."""
        return {standing.case.fingerprint: standing for standing in self.standings}

    @property
    def oldest_open(self) -> Case | None:
        """The open case that was found longest ago, since it was last found anew."""
        cases = (standing.case for standing in self.standings)
        return min(
            (case for case in cases if case.resolved_at is None),
            key=lambda case: (case.opened_at, case.severity.rank, case.fingerprint),
            default=None,
        )

    @property
    def mean_time_to_remediate(self) -> timedelta | None:
        """The mean time to remediate in these scans; None if nothing was remediated."""
        count = sum(night.remedied for night in self.nights)
        total = sum((night.remedy_time for night in self.nights), timedelta())
        return total / count if count else None
