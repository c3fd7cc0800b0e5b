"""What a scan concludes: findings with their evidence, and the result that every output renders."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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
class Finding:
    """One rule that one key violates, or that could not be decided for it.

    `owner_email` is the best known: the key's own or the organization member's.
    """

    rule: RuleText
    outcome: Outcome
    key: Key
    project: Project | None
    owner_state: OwnerState | Unknown
    owner_email: str | None
    evidence: tuple[Evidence, ...]

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
    undetermined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings, worst first, and every rule's tally."""

    findings: tuple[Finding, ...]
    rules: tuple[RuleTally, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """The findings of one rule; those not decided are grouped by their reason too."""

    rule: RuleText
    findings: tuple[Finding, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of one scan; `by_severity` counts violations, `keys_violating` each key once."""

    projects: int
    keys: int
    keys_violating: int
    by_severity: dict[Severity, int]
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

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was seen."""
        return is_complete(self.coverage)

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that are violations."""
        return tuple(f for f in self.findings if f.outcome is Outcome.VIOLATED)

    @property
    def undetermined(self) -> tuple[Finding, ...]:
        """The findings that could not be decided."""
        return tuple(f for f in self.findings if f.outcome is Outcome.UNDETERMINED)

    def totals(self) -> Totals:
        """Count once, so that every output shows the same figures."""
        violations = self.violations
        counts = Counter(finding.rule.severity for finding in violations)
        return Totals(
            projects=self.projects,
            keys=self.keys,
            keys_violating=len({finding.key.id for finding in violations}),
            by_severity={severity: counts[severity] for severity in Severity},
            undetermined=len(self.findings) - len(violations),
        )


def grouped(findings: Iterable[Finding]) -> list[RuleGroup]:
    """Group findings by rule, in the order they come."""
    groups: defaultdict[RuleText, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.rule].append(finding)
    return [RuleGroup(rule=rule, findings=tuple(found)) for rule, found in groups.items()]


def undecided(findings: Iterable[Finding]) -> list[RuleGroup]:
    """Group undetermined findings by rule and reason, in the order they come."""
    groups: defaultdict[tuple[RuleText, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.rule, finding.reason].append(finding)
    return [
        RuleGroup(rule=rule, reason=reason, findings=tuple(found))
        for (rule, reason), found in groups.items()
    ]
