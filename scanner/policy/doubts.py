"""What is wrong with a policy that can be read: it is of no use any longer, or never was. Pure."""

from collections.abc import Iterator
from datetime import date

from scanner.errors import Problem
from scanner.policy.feasible import can_hold
from scanner.policy.model import Policy


def expired_exceptions(policy: Policy, today: date) -> Iterator[Problem]:
    """Yield each exception that no longer holds, at its place."""
    for exemption in policy.exemptions:
        text = exemption.text
        if today > text.expires:
            message = (
                f"the exception from {', '.join(text.rules)} expired on {text.expires}: remove it,"
                " or set a later day in 'expires'"
            )
            yield Problem(file=text.file, line=text.line, column=text.column, message=message)


def impossible_rules(policy: Policy) -> Iterator[Problem]:
    """Yield each rule that certainly no key can violate, at its place."""
    for rule in policy.rules:
        conditions = [part for part in (rule.applies_to, rule.violated_when) if part is not None]
        if not can_hold(conditions):
            message = (
                f"rule '{rule.text.id}': no key can violate it, as its conditions contradict each"
                f" other: {rule.tests}"
            )
            text = rule.text
            yield Problem(file=text.file, line=text.line, column=text.column, message=message)
