"""Policies, rules and exceptions as read from policy files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from scanner.collection import Collection
from scanner.finding import ExceptionText, RuleText
from scanner.lifecycle import PolicySource
from scanner.policy.answers import NO_ROWS, Answers, every
from scanner.policy.columns import KEY_STATE, Facts
from scanner.policy.conditions import Condition
from scanner.policy.registry import Value
from scanner.revocation import Method
from scanner.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The revocation that a rule requests, and the grace period after the notice."""

    revoke: Method
    after: timedelta

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections needed before revoking: a second source of use, or the old scopes."""
        return _NEEDS.get(self.revoke, frozenset())


_NEEDS: Final = {
    Method.DELETE: frozenset({Collection.USAGE}),
    Method.RESTRICT: frozenset({Collection.AUDIT_LOGS}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A condition that raises a violation's severity."""

    severity: Severity
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example key: its facts, whether it violates the rule, and its place."""

    facts: Mapping[str, Value]
    is_violating: bool
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its texts, the keys it applies to (None: every key), and its violation.

    It applies to live keys only, unless a condition names `key.state`. `steps` are worst first.
    `finding` is the text of its findings as written, "" if there is none.
    """

    text: RuleText
    applies_to: Condition | None
    violated_when: Condition
    steps: tuple[Step, ...] = ()
    respond: Response | None = None
    examples: tuple[Example, ...] = field(default=(), compare=False)
    finding: str = field(default="", compare=False)

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections that its facts come from, beyond projects and keys."""
        scope = self.applies_to.needs if self.applies_to else frozenset[Collection]()
        return scope.union(self.violated_when.needs, *(step.when.needs for step in self.steps))

    @property
    def is_for_live_keys(self) -> bool:
        """Whether it applies to live keys only: none of its conditions names `key.state`."""
        conditions = (self.applies_to, self.violated_when)
        return not any(part and KEY_STATE in part.names for part in conditions)

    @property
    def scope(self) -> str:
        """The keys it applies to, as text: `live keys with key.kind is project`."""
        keys = "live keys" if self.is_for_live_keys else "keys"
        if self.applies_to:
            return f"{keys} with {self.applies_to}"
        return keys if self.is_for_live_keys else "keys in any state"

    @property
    def reads(self) -> str:
        """Its condition as text: `age over 90d; for live keys with key.kind is project`."""
        return f"{self.tests}{self._steps}"

    @property
    def _steps(self) -> str:
        return "".join(f"; {step.severity.value} if {step.when}" for step in self.steps)

    @property
    def tests(self) -> str:
        """Its violation and the keys it applies to, as text, without severities."""
        return f"{self.violated_when}; for {self.scope}"

    @property
    def definition(self) -> str:
        """A digest of its conditions as text: 16 hexadecimal digits."""
        return _digest(f"{self.applies_to} | {self.violated_when}")

    @property
    def grading(self) -> str:
        """A digest of its severity and severity conditions: 16 hexadecimal digits."""
        return _digest(f"{self.text.severity}{self._steps}")

    def applies(self, facts: Facts) -> Answers:
        """Return the keys it applies to; a key that may be live counts as live."""
        dead = facts.dead if self.is_for_live_keys else NO_ROWS
        live = Answers(facts.every ^ dead, dead)
        return every((live, self.applies_to.decide(facts))) if self.applies_to else live

    def decide(self, facts: Facts) -> Answers:
        """Return the keys that violate it: those that it applies to, and `violated_when`."""
        return every((self.applies(facts), self.violated_when.decide(facts)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """An exception of some keys from some rules, until a date."""

    text: ExceptionText
    when: Condition


class PolicyText(NamedTuple):
    """The text of a policy, and its source."""

    source: PolicySource
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of rules, and the exceptions from them.

    `disabled` has the ids of rules that it does not inherit, each with the reason. `texts` are its
    own and those of the policies that it extends.
    """

    name: str
    description: str
    rules: tuple[Rule, ...]
    exemptions: tuple[Exemption, ...] = ()
    disabled: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[PolicyText, ...] = field(default=(), compare=False, repr=False)
