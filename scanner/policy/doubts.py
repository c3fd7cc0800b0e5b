"""Problems of a valid policy: expired exceptions and rules that no key can violate. Pure."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from scanner.errors import Problem
from scanner.inventory import KeyState
from scanner.policy.columns import KEY_STATE
from scanner.policy.conditions import Condition, Leaf
from scanner.policy.facts import FACTS
from scanner.policy.feasible import can_hold
from scanner.policy.model import Policy
from scanner.policy.operators import Operator

_LIVE: Final = Leaf(fact=FACTS[KEY_STATE], operator=Operator.IS, limit=KeyState.LIVE.value)


def expired_exceptions(policy: Policy, today: date) -> Iterator[Problem]:
    """Yield each expired exception, at its place."""
    for exemption in policy.exemptions:
        text = exemption.text
        if today > text.expires:
            message = (
                f"the exception from {', '.join(text.rules)} expired on {text.expires}: remove it,"
                " or set a later date in 'expires'"
            )
            yield Problem(file=text.file, line=text.line, column=text.column, message=message)


def impossible_rules(policy: Policy) -> Iterator[Problem]:
    """Yield each rule that no key can violate, at its place."""
    for rule in policy.rules:
        conditions: list[Condition] = [rule.violated_when]
        if rule.applies_to is not None:
            conditions.append(rule.applies_to)
        if rule.is_for_live_keys:
            conditions.append(_LIVE)
        if not can_hold(conditions):
            message = (
                f"rule '{rule.text.id}': no key can violate it, as its conditions contradict each"
                f" other: {rule.tests}"
            )
            text = rule.text
            yield Problem(file=text.file, line=text.line, column=text.column, message=message)
