"""The result of one scan, as every output renders it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scanner.finding import ExceptionTally, Finding, Outcome, RuleTally, RuleText
from scanner.inventory import Coverage, is_complete
from scanner.lifecycle import History, PolicySource
from scanner.plausible import clock_problem
from scanner.receipt import Revocation
from scanner.revocation import Mode
from scanner.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledRule:
    """A rule of an extended policy that a policy disables, and why."""

    id: str
    policy: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """The findings of one rule and severity; undetermined ones are also grouped by reason."""

    rule: RuleText
    severity: Severity
    findings: tuple[Finding, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The counts of one scan; `by_severity` counts violations, `keys_violating` each key once."""

    projects: int
    keys: int
    keys_violating: int
    by_severity: dict[Severity, int]
    excepted: int
    undetermined: int


_NAMED: Final = 10
"""Users named in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlistedKey:
    """A user who used a key that is in no listing: a legacy user key, or one deleted since."""

    user_id: str
    name: str | None
    email: str | None
    last_used_at: datetime

    @property
    def words(self) -> str:
        """Name the user and the day: `ada@example.com on 2026-11-20`."""
        return f"{self.email or self.name or self.user_id} on {self.last_used_at:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """One complete scan; findings are worst first.

    `sources` describe the texts of the policies. `history` is None if no history is kept,
    `revocation` if revocation is off. `history_name` identifies the history, as two organizations
    may have one name in the API; it does not change if the organization is renamed.
    `renamed_from` is the name before this scan. `clock_ahead` is as in Inventory.
    """

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
    unlisted: tuple[UnlistedKey, ...] = ()
    exceptions: tuple[ExceptionTally, ...] = ()
    disabled: tuple[DisabledRule, ...] = ()
    sources: tuple[PolicySource, ...] = ()
    history: History | None = None
    revocation: Revocation | None = None
    history_name: str | None = None
    renamed_from: str | None = None
    clock_ahead: timedelta | None = None

    @property
    def complete(self) -> bool:
        """Whether every requested listing was collected completely."""
        return is_complete(self.coverage)

    @property
    def unlisted_note(self) -> str:
        """A note on users who used a key that is in no listing, with advice; or ""."""
        if not self.unlisted:
            return ""
        count = len(self.unlisted)
        names = ", ".join(one.words for one in self.unlisted[:_NAMED])
        more = f" and {count - _NAMED:,} more" if count > _NAMED else ""
        who = "1 user" if count == 1 else f"{count:,} users"
        return (
            f"{who} used a key that is in no listing, a legacy user key or one deleted since:"
            f" {names}{more}. Have them delete it if it still exists."
        )

    @property
    def clock_note(self) -> str:
        """A warning if this machine's clock was wrong, or not verified and this matters; or ""."""
        problem = clock_problem(self.clock_ahead)
        if not problem:
            return ""
        start, effect = f"{problem[0].upper()}{problem[1:]}", "no grace period starts"
        if self.clock_ahead is not None:
            return (
                f"{start}: ages are wrong by as much, {effect}, and no key is revoked."
                " Set the clock, with NTP for example, and scan again."
            )
        if self.revocation is None or self.revocation.mode is Mode.OFF:
            return ""
        return (
            f"{start}: {effect}, and no key is revoked. Check whether a proxy removes the header"
            " Date from responses."
        )

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that are violations."""
        return tuple(f for f in self.findings if f.outcome is Outcome.VIOLATED)

    @property
    def excepted(self) -> tuple[Finding, ...]:
        """The findings that an exception covers."""
        return tuple(f for f in self.findings if f.outcome is Outcome.EXCEPTED)

    @property
    def undetermined(self) -> tuple[Finding, ...]:
        """The findings that are undetermined."""
        return tuple(f for f in self.findings if f.outcome is Outcome.UNDETERMINED)

    def totals(self) -> Totals:
        """Return the counts that every output shows."""
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
    """Group findings by rule and severity, in their given order."""
    return _groups(findings, lambda _finding: "")


def undecided(findings: Iterable[Finding]) -> list[RuleGroup]:
    """Group undetermined findings by rule, severity and reason, in their given order."""
    return _groups(findings, lambda finding: finding.reason)


def _groups(findings: Iterable[Finding], reason_of: Callable[[Finding], str]) -> list[RuleGroup]:
    groups: defaultdict[tuple[RuleText, Severity, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.rule, finding.severity, reason_of(finding)].append(finding)
    return [
        RuleGroup(rule=rule, severity=severity, reason=reason, findings=tuple(found))
        for (rule, severity, reason), found in groups.items()
    ]
