"""What a policy file says, read and checked."""

from dataclasses import dataclass

from scanner.finding import RuleText
from scanner.policy.conditions import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: whom it applies to (None: every key), what violates it, and what to tell people."""

    text: RuleText
    applies_to: Condition | None
    violated_when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of rules."""

    name: str
    description: str
    rules: tuple[Rule, ...]
