"""Tests a policy with its own examples. Pure."""

from collections.abc import Iterator

from scanner.errors import Problem
from scanner.finding import describe
from scanner.policy.columns import Given
from scanner.policy.model import Example, Policy, Rule


def failed_examples(policy: Policy) -> Iterator[Problem]:
    """Yield each example with another outcome than listed, at its place."""
    for rule in policy.rules:
        for example in rule.examples:
            answers = rule.decide(Given(example.facts))
            truth = True if answers.true else False if answers.false else None
            if truth is not example.is_violating:
                message = f"rule '{rule.text.id}': {_difference(rule, example, truth)}"
                yield Problem(
                    file=example.file, line=example.line, column=example.column, message=message
                )


def _difference(rule: Rule, example: Example, truth: bool | None) -> str:  # noqa: FBT001 - an answer
    facts = ", ".join(f"{name}: {describe(value)}" for name, value in example.facts.items())
    kind = "violating" if example.is_violating else "compliant"
    return f"the example {{ {facts} }} is listed as {kind}, but {_came_out(rule, example, truth)}"


def _came_out(rule: Rule, example: Example, truth: bool | None) -> str:  # noqa: FBT001 - an answer
    if truth is not None:
        return "violates the rule" if truth else "does not violate the rule"
    facts = Given(example.facts)
    conditions = [part for part in (rule.applies_to, rule.violated_when) if part is not None]
    trails = [trail for part in conditions for trail in part.evidence(facts, [0])]
    reasons = dict.fromkeys(row.unknown for trail in trails for row in trail if row.unknown)
    return f"cannot be decided: {'; '.join(reasons)}"
