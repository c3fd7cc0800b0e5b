"""What is found: violations with their evidence, and what a judgement is made of."""

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
"""What a fact can be. None: the key has no such thing. Unknown: it could not be seen."""


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
        """The value in words; next to the limit it shows on which side of it it is."""
        spelled = describe(self.value, limit_in(self.limit))
        return f"{spelled} (by {self.source})" if self.source else spelled

    @property
    def unknown(self) -> str:
        """Why nothing was observed, or ""."""
        return self.value.reason if isinstance(self.value, Unknown) else ""


def describe(value: Value, limit: timedelta | Decimal | None = None) -> str:
    """Spell a fact's value for people: `412d 5h`, `yes`, `left_org`, `none`, `unknown: ...`.

    A duration or an amount differs from the limit that it was held against.
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
    """What a reader needs to know of an exception: for which rules, why, until when, who answers.

    It holds through the whole of the day `expires`, in UTC. `file`, `line` and `column` are its
    place, by which two exceptions with the same words differ.
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
    """How many findings an exception covers, whether or not another covers them as well.

    One that is not `active` has expired, and covers none.
    """

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
        named = f"{self.rule.id}\0{self.key.id}".encode(errors="surrogatepass")
        return hashlib.sha256(named).hexdigest()[:32]

    @property
    def reason(self) -> str:
        """Why it could not be decided, if it could not."""
        return "; ".join(dict.fromkeys(row.unknown for row in self.evidence if row.unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """How many keys a rule applied to, and what became of them; the rest keep it.

    `for_live_keys`: it does not name `key.state`. Another may well apply to none.
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
