"""What a policy file says, read and checked."""

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
    """What is to be done about a violation, and how long after it was announced."""

    revoke: Method
    after: timedelta

    @property
    def needs(self) -> frozenset[Collection]:
        """What else is to be known of a key: a second witness, or what it was allowed before."""
        return _NEEDS.get(self.revoke, frozenset())


_NEEDS: Final = {
    Method.DELETE: frozenset({Collection.USAGE}),
    Method.RESTRICT: frozenset({Collection.AUDIT_LOGS}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What raises a violation's severity."""

    severity: Severity
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A made-up key by its facts, whether it violates the rule, and its place."""

    facts: Mapping[str, Value]
    is_violating: bool
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: whom it applies to (None: every key), what violates it, and what to tell people.

    It applies to live keys only, unless a condition names `key.state`. `steps` stand worst first.
    `finding` is the text of its findings as it is written, "" if there is none.
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
        """Whether keys that cannot be used are left out: no condition of it names their state."""
        conditions = (self.applies_to, self.violated_when)
        return not any(part and KEY_STATE in part.names for part in conditions)

    @property
    def scope(self) -> str:
        """Spell which keys it applies to: `live keys with key.kind is project`."""
        keys = "live keys" if self.is_for_live_keys else "keys in any state"
        return f"{keys} with {self.applies_to}" if self.applies_to else keys

    @property
    def reads(self) -> str:
        """Spell what it tests: `age over 90d, of live keys with key.kind is project`."""
        return f"{self.tests}{self._steps}"

    @property
    def _steps(self) -> str:
        return "".join(f"; {step.severity.value} if {step.when}" for step in self.steps)

    @property
    def tests(self) -> str:
        """Spell what violates it, and of which keys."""
        return f"{self.violated_when}, of {self.scope}"

    @property
    def definition(self) -> str:
        """Return a digest of its conditions as they are written: 16 hexadecimal digits."""
        return _digest(f"{self.applies_to} | {self.violated_when}")

    @property
    def grading(self) -> str:
        """Return a digest of what a violation's severity follows from: 16 hexadecimal digits."""
        return _digest(f"{self.text.severity}{self._steps}")

    def applies(self, facts: Facts) -> Answers:
        """Decide which keys it applies to; a key that may be live counts as live."""
        dead = facts.dead if self.is_for_live_keys else NO_ROWS
        live = Answers(facts.every ^ dead, dead)
        return every((live, self.applies_to.decide(facts))) if self.applies_to else live

    def decide(self, facts: Facts) -> Answers:
        """Tell which keys violate it: those it applies to `and violated_when`, as Kleene has it."""
        return every((self.applies(facts), self.violated_when.decide(facts)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Keys that some rules let be for a while."""

    text: ExceptionText
    when: Condition


class PolicyText(NamedTuple):
    """The text of a policy, and where it was read."""

    source: PolicySource
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of rules, and the exceptions from them.

    `disabled` has the ids of rules that it does not take over, each with the reason. `texts` are
    its own and those of the policies that it extends.
    """

    name: str
    description: str
    rules: tuple[Rule, ...]
    exemptions: tuple[Exemption, ...] = ()
    disabled: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[PolicyText, ...] = field(default=(), compare=False, repr=False)
