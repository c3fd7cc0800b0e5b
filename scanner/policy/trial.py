"""Trying a policy on its own examples. Pure."""

from collections.abc import Iterator

from scanner.errors import Problem
from scanner.finding import describe
from scanner.policy.model import Example, Policy, Rule
from scanner.policy.registry import Given


def failed_examples(policy: Policy, file: str) -> Iterator[Problem]:
    """Yield each example that does not come out as it says, at its place in `file`."""
    for rule in policy.rules:
        for example in rule.examples:
            truth = rule.decide(Given(example.facts))
            if truth is not example.is_violating:
                message = f"rule '{rule.text.id}': {_difference(rule, example, truth)}"
                yield Problem(file=file, line=example.line, column=example.column, message=message)


def _difference(rule: Rule, example: Example, truth: bool | None) -> str:  # noqa: FBT001 - an answer
    facts = ", ".join(f"{name}: {describe(value)}" for name, value in example.facts.items())
    kind = "violating" if example.is_violating else "compliant"
    return f"the example {{ {facts} }} is listed as {kind}, but {_came_out(rule, example, truth)}"


def _came_out(rule: Rule, example: Example, truth: bool | None) -> str:  # noqa: FBT001 - an answer
    if truth is not None:
        return "violates the rule" if truth else "does not violate the rule"
    values = Given(example.facts)
    conditions = [part for part in (rule.applies_to, rule.violated_when) if part is not None]
    rows = [row for part in conditions for row in part.evidence(values) if row.unknown]
    return f"cannot be decided: {'; '.join(dict.fromkeys(row.unknown for row in rows))}"
