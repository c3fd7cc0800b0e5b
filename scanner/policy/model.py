"""What a policy file says, read and checked."""

from dataclasses import dataclass

from scanner.finding import RuleText
from scanner.inventory import Collection
from scanner.policy.conditions import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: whom it applies to (None: every key), what violates it, and what to tell people."""

    text: RuleText
    applies_to: Condition | None
    violated_when: Condition

    @property
    def needs(self) -> frozenset[Collection]:
        """The collections that its facts come from, beyond projects and keys."""
        scope = self.applies_to.needs if self.applies_to else frozenset[Collection]()
        return scope | self.violated_when.needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of rules."""

    name: str
    description: str
    rules: tuple[Rule, ...]
