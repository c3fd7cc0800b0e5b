"""Findings with their evidence, and the other results of an evaluation."""

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from scanner.durations import format_duration
from scanner.figures import format_amount, limit_in
from scanner.inventory import Key, Project, Unknown
from scanner.severity import Severity

Value = bool | int | Decimal | str | timedelta | Unknown | None
"""The value of a fact. None: the key has no such attribute. Unknown: it was not collected."""


class Outcome(StrEnum):
    """The outcome of one rule on one key that does not comply, or may not."""

    VIOLATED = "violated"
    EXCEPTED = "excepted"
    UNDETERMINED = "undetermined"


class OwnerState(StrEnum):
    """The current state of a key's owner."""

    ACTIVE = "active"
    DISABLED = "disabled"
    LEFT_ORG = "left_org"
    NO_PROJECT_ACCESS = "no_project_access"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"


class Evidence(NamedTuple):
    """One fact that decided: its name, its value, and the limit as text.

    `source` names the source of the value if there are several.
    """

    fact: str
    value: Value
    limit: str
    source: str = ""

    @property
    def observed(self) -> str:
        """The value as text; it differs visibly from the limit."""
        spelled = describe(self.value, limit_in(self.limit))
        return f"{spelled} (by {self.source})" if self.source else spelled

    @property
    def unknown(self) -> str:
        """Why the value is unknown, or ""."""
        return self.value.reason if isinstance(self.value, Unknown) else ""


def describe(value: Value, limit: timedelta | Decimal | None = None) -> str:
    """Return a fact's value as text: `412d 5h`, `yes`, `left_org`, `none`, `unknown: ...`.

    A duration or an amount differs visibly from the limit.
    """
    match value:
        case None:
            return "none"
        case Unknown(at_least=part):
            known = "" if part is None else f"at least {describe(part, limit)}; the rest is "
            return f"{known}unknown: {value}"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return format_duration(value, limit if isinstance(limit, timedelta) else None)
        case Decimal():
            return format_amount(value, limit if isinstance(limit, Decimal) else None)
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """The texts of a rule.

    `title` is the requirement, `defect` what its findings have in common, and `finding` the defect
    of one key with `{fact}` in the place of its values, "" if none is written. `reads` is its test
    as the policy words it. `controls` are `framework:id`, such as `owasp-nhi:NHI7`. `file` and
    `line` are where it was last written or changed: the same rule may be in two places.
    """

    id: str
    policy: str
    title: str
    severity: Severity
    why: str
    fix: str
    controls: tuple[str, ...]
    file: str = field(default="", compare=False)
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)
    reads: str = field(default="", compare=False)
    defect: str = field(default="", compare=False)
    finding: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionText:
    """The description of an exception: its rules, reason, owner, ticket and expiry.

    It applies until the end of the day `expires`, in UTC. `file`, `line` and `column` are its
    place, which distinguishes two exceptions with equal texts.
    """

    rules: tuple[str, ...]
    reason: str
    owner: str
    ticket: str
    expires: date
    file: str = ""
    line: int = 1
    column: int = 1

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return now.date() <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionTally:
    """The number of findings that an exception covers, including those that another covers.

    One that is not `active` has expired and covers none.
    """

    exception: ExceptionText
    active: bool
    excepted: int


class Finding(NamedTuple):
    """One rule that one key violates, or may violate.

    `severity` is the rule's, or the one it is raised to for this key. `exception` is the one that
    covers an EXCEPTED finding. `owner_email` is the key's or, failing that, the member's.
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
        """Equal in every scan for the same rule and key: 32 hexadecimal digits."""
        named = f"{self.rule.id}\0{self.key.id}".encode(errors="surrogatepass")
        return hashlib.sha256(named).hexdigest()[:32]

    @property
    def reason(self) -> str:
        """Why it is undetermined, or ""."""
        return "; ".join(dict.fromkeys(row.unknown for row in self.evidence if row.unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """The number of keys a rule applied to, and their outcomes; the rest comply.

    `for_live_keys`: its condition does not name `key.state`. Other rules often apply to no key.
    """

    rule: RuleText
    applied: int
    violated: int
    excepted: int
    undetermined: int
    for_live_keys: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings, worst first, every rule's tally and every exception's."""

    findings: tuple[Finding, ...]
    rules: tuple[RuleTally, ...]
    exceptions: tuple[ExceptionTally, ...] = ()
