"""What a scan concludes: findings with their evidence, and the result that every output renders."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from scanner.durations import format_duration
from scanner.inventory import Coverage, Key, Project, Unknown, is_complete

Value = bool | int | str | timedelta | Unknown | None
"""What a fact can be. None: the key has no such thing. Unknown: it could not be seen."""


class Severity(StrEnum):
    """How bad a violation is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst; grows as severity falls."""
        return tuple(Severity).index(self)


class Outcome(StrEnum):
    """What became of one rule on one key, where it is not simply met."""

    VIOLATED = "violated"
    EXCEPTED = "excepted"
    UNDETERMINED = "undetermined"


class OwnerState(StrEnum):
    """Where a key's owner stands today."""

    ACTIVE = "active"
    DISABLED = "disabled"
    LEFT_ORG = "left_org"
    NO_PROJECT_ACCESS = "no_project_access"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"


class Evidence(NamedTuple):
    """One fact that decided: its name, its value, and the limit it was held against, in words.

    `source` says who told the value where several could have.
    """

    fact: str
    value: Value
    limit: str
    source: str = ""

    @property
    def observed(self) -> str:
        """The value in words."""
        spelled = describe(self.value)
        return f"{spelled} (by {self.source})" if self.source else spelled

    @property
    def unknown(self) -> str:
        """Why nothing was observed, or ""."""
        return self.value.reason if isinstance(self.value, Unknown) else ""


def describe(value: Value) -> str:
    """Spell a fact's value for people: `412d 5h`, `yes`, `left_org`, `none`, `unknown: ...`."""
    match value:
        case None:
            return "none"
        case Unknown(reason=reason):
            return f"unknown: {reason}"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return format_duration(value)
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What a reader needs to know of a rule.

    `controls` are `framework:id` references, for example `owasp-nhi:NHI7`.
    """

    id: str
    policy: str
    title: str
    severity: Severity
    why: str
    fix: str
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledRule:
    """A rule that a policy leaves out of those it builds on, and why."""

    id: str
    policy: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionText:
    """What a reader needs to know of an exception: for which rules, why, until when, who answers.

    It holds through the whole of the day `expires`, in UTC.
    """

    rules: tuple[str, ...]
    reason: str
    owner: str
    ticket: str
    expires: date

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return now.date() <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionTally:
    """How many findings an exception lets be; one that is not `active` has expired: none."""

    exception: ExceptionText
    active: bool
    excepted: int


class Finding(NamedTuple):
    """One rule that one key violates, or that could not be decided for it.

    `severity` is the rule's, or what it rises to for this key. `exception` is why an EXCEPTED one
    is let be. `owner_email` is the best known: the key's own or the organization member's.
    """

    rule: RuleText
    severity: Severity
    outcome: Outcome
    key: Key
    project: Project | None
    owner_state: OwnerState | Unknown
    owner_email: str | None
    evidence: tuple[Evidence, ...]
    exception: ExceptionText | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same rule and key on every night: 32 hexadecimal digits."""
        return hashlib.sha256(f"{self.rule.id}\0{self.key.id}".encode()).hexdigest()[:32]

    @property
    def reason(self) -> str:
        """Why it could not be decided, if it could not."""
        return "; ".join(dict.fromkeys(row.unknown for row in self.evidence if row.unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """How many keys a rule applied to, and what became of them; the rest keep it."""

    rule: RuleText
    applied: int
    violated: int
    excepted: int
    undetermined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings, worst first, every rule's tally and every exception's."""

    findings: tuple[Finding, ...]
    rules: tuple[RuleTally, ...]
    exceptions: tuple[ExceptionTally, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """The findings of one rule and severity; those not decided are grouped by their reason too."""

    rule: RuleText
    severity: Severity
    findings: tuple[Finding, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of one scan; `by_severity` counts violations, `keys_violating` each key once."""

    projects: int
    keys: int
    keys_violating: int
    by_severity: dict[Severity, int]
    excepted: int
    undetermined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """One scan from start to end; findings stand worst first."""

    id: str
    started_at: datetime
    finished_at: datetime
    organization: str | None
    policies: tuple[str, ...]
    rules: tuple[RuleTally, ...]
    projects: int
    keys: int
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    exceptions: tuple[ExceptionTally, ...] = ()
    disabled: tuple[DisabledRule, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was seen."""
        return is_complete(self.coverage)

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that are violations."""
        return tuple(f for f in self.findings if f.outcome is Outcome.VIOLATED)

    @property
    def excepted(self) -> tuple[Finding, ...]:
        """The findings that an exception lets be."""
        return tuple(f for f in self.findings if f.outcome is Outcome.EXCEPTED)

    @property
    def undetermined(self) -> tuple[Finding, ...]:
        """The findings that could not be decided."""
        return tuple(f for f in self.findings if f.outcome is Outcome.UNDETERMINED)

    def totals(self) -> Totals:
        """Count once, so that every output shows the same figures."""
        violations = self.violations
        counts = Counter(finding.severity for finding in violations)
        outcomes = Counter(finding.outcome for finding in self.findings)
        return Totals(
            projects=self.projects,
            keys=self.keys,
            keys_violating=len({finding.key.id for finding in violations}),
            by_severity={severity: counts[severity] for severity in Severity},
            excepted=outcomes[Outcome.EXCEPTED],
            undetermined=outcomes[Outcome.UNDETERMINED],
        )


def grouped(findings: Iterable[Finding]) -> list[RuleGroup]:
    """Group findings by rule and severity, in the order they come."""
    return _groups(findings, lambda _finding: "")


def undecided(findings: Iterable[Finding]) -> list[RuleGroup]:
    """Group undetermined findings by rule, severity and reason, in the order they come."""
    return _groups(findings, lambda finding: finding.reason)


def _groups(findings: Iterable[Finding], reason_of: Callable[[Finding], str]) -> list[RuleGroup]:
    groups: defaultdict[tuple[RuleText, Severity, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.rule, finding.severity, reason_of(finding)].append(finding)
    return [
        RuleGroup(rule=rule, severity=severity, reason=reason, findings=tuple(found))
        for (rule, severity, reason), found in groups.items()
    ]
