"""Explanations of facts, operators and rules for readers. Pure."""

from collections.abc import Iterator
from typing import Final

from scanner.durations import format_duration
from scanner.policy.facts import FACTS
from scanner.policy.model import Rule
from scanner.policy.operators import MEANINGS, Operator, operators_of
from scanner.policy.registry import Fact, FactType

GROUPS: Final = {
    "all": "Every condition in the list is true.",
    "any": "At least one condition in the list is true.",
    "not": "The condition is false. An unknown condition stays unknown.",
}
_TYPES: Final = {
    FactType.BOOLEAN: "true or false",
    FactType.CHOICE: "one of",
    FactType.DURATION: "a duration in weeks, days and hours, such as 90d, 12h or 1d 12h",
    FactType.NUMBER: "a whole number",
    FactType.TEXT: "text",
}
_USUAL: Final = {
    FactType.BOOLEAN: "used",
    FactType.CHOICE: "owner.state",
    FactType.DURATION: "age",
    FactType.TEXT: "key.name",
}
_LIMITS: Final = {
    FactType.BOOLEAN: "false",
    FactType.DURATION: "90d",
    FactType.NUMBER: "3",
    FactType.TEXT: '"prod-*"',
}


def explain_fact(fact: Fact) -> Iterator[tuple[str, str]]:
    """Yield the explanation of a fact: pairs of heading and text."""
    kind = "a number, with or without decimals" if fact.decimals else _TYPES[fact.type]
    yield "meaning", fact.meaning
    yield "type", f"{kind} {', '.join(fact.choices)}" if fact.choices else kind
    yield "source", fact.source
    if fact.needs:
        yield "needs", ", ".join(sorted(fact.needs))
    yield "operators", ", ".join(operators_of(fact.type))
    yield "example", example(fact)


def explain_operator(op: Operator) -> Iterator[tuple[str, str]]:
    """Yield the explanation of an operator: pairs of heading and text."""
    types = [type_ for type_ in FactType if op in operators_of(type_)]
    yield "meaning", MEANINGS[op]
    yield "for", ", ".join(type_.name.lower() for type_ in types)
    yield "example", _with_operator(FACTS[_USUAL[types[0]]], op)


def explain_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the explanation of a rule: pairs of heading and text."""
    text = rule.text
    yield "title", text.title
    yield "finding", text.defect
    yield "policy", text.policy
    yield "defined in", f"{text.file}:{text.line}"
    steps = "; ".join(f"{step.severity} if {step.when}" for step in rule.steps)
    yield "severity", f"{text.severity}; {steps}" if steps else text.severity
    yield "applies to", rule.scope
    yield "violated when", str(rule.violated_when)
    yield "why", text.why
    yield "fix", text.fix
    if text.controls:
        yield "controls", ", ".join(text.controls)
    if rule.respond:
        yield "respond", f"{rule.respond.revoke} after {format_duration(rule.respond.after)}"
    if rule.needs:
        yield "needs", ", ".join(sorted(rule.needs))


def example(fact: Fact) -> str:
    """Return an example condition on a fact in the policy language."""
    match fact.type:
        case FactType.DURATION | FactType.NUMBER:
            return _with_operator(fact, Operator.OVER)
        case FactType.TEXT:
            return _with_operator(fact, Operator.LIKE)
        case _:
            return f"{{ {fact.name}: {_limit(fact)} }}"


def _with_operator(fact: Fact, op: Operator) -> str:
    limit = "true" if op is Operator.KNOWN else _limit(fact)
    if op is Operator.MATCHES:
        limit = '"^prod-[0-9]+$"'
    if op in (Operator.ONE_OF, Operator.NONE_OF):
        limit = f"[{', '.join(fact.choices[:2])}]"
    return f"{{ {fact.name}: {{ {op}: {limit} }} }}"


def _limit(fact: Fact) -> str:
    return fact.choices[0] if fact.choices else _LIMITS[fact.type]
