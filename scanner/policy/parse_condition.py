"""The grammar of conditions: a tree of the document -> a typed Condition."""

import re
from decimal import Decimal
from typing import Final

from scanner.durations import parse_duration
from scanner.policy import document
from scanner.policy.conditions import AllOf, AnyOf, Condition, Leaf, Not
from scanner.policy.document import Items, Mapping, Node, whole_number
from scanner.policy.expression import compile_expression
from scanner.policy.facts import FACTS
from scanner.policy.operators import (
    MANY,
    OPERATORS,
    ORDER,
    PATTERN,
    Limit,
    Operator,
    Scalar,
    operators_of,
)
from scanner.policy.problems import Problems
from scanner.policy.registry import Fact, FactType, Value
from scanner.spelling import did_you_mean

_GROUPS: Final = ("all", "any", "not")
MOST: Final = 999_999_999
"""The largest valid number."""
_DECIMAL_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})\.[0-9]{1,9}", re.ASCII)


def parse_condition(node: Node, problems: Problems) -> Condition | None:
    """Read a condition; None after noting its mistakes."""
    if not isinstance(node, Mapping):
        problems.add(node, "a condition must be a mapping of facts, such as { age: { over: 90d } }")
        return None
    if not node.entries:
        problems.add(node, "an empty condition would be true for every key; add a fact")
        return None
    parts = [_entry(key, value, problems) for key, value in node.entries]
    sound = tuple(part for part in parts if part is not None)
    if len(sound) < len(parts):
        return None
    return sound[0] if len(sound) == 1 else AllOf(parts=sound)


def _entry(key: document.Scalar, value: Node, problems: Problems) -> Condition | None:
    match key.text:
        case "all" | "any":
            return _group(key, value, problems)
        case "not":
            part = parse_condition(value, problems)
            return None if part is None else Not(part=part)
        case name if name in FACTS:
            return _fact_test(FACTS[name], value, problems)
        case name:
            members = [fact for fact in FACTS if fact.startswith(f"{name}.")]
            hint = f"; write one of {', '.join(members)}" if members else ""
            hint = hint or did_you_mean(name, (*FACTS, *_GROUPS))
            problems.add(key, f"unknown fact '{name}'{hint}")
            return None


def _group(key: document.Scalar, value: Node, problems: Problems) -> Condition | None:
    if not isinstance(value, Items):
        problems.add(value, f"'{key.text}' must be a list of conditions")
        return None
    if not value.items:
        problems.add(value, f"'{key.text}' is empty; add conditions or remove it")
        return None
    parts = [parse_condition(item, problems) for item in value.items]
    sound = tuple(part for part in parts if part is not None)
    if len(sound) < len(parts):
        return None
    return AllOf(parts=sound) if key.text == "all" else AnyOf(parts=sound)


def _fact_test(fact: Fact, value: Node, problems: Problems) -> Condition | None:
    """Read the test of a fact: a scalar (is), a list (one of) or operators."""
    if isinstance(value, Mapping):
        if not value.entries:
            problems.add(value, f"'{fact.name}' needs an operator, such as {{ known: true }}")
            return None
        leaves = [_operator_test(fact, key, limit, problems) for key, limit in value.entries]
        sound = tuple(leaf for leaf in leaves if leaf is not None)
        if len(sound) < len(leaves):
            return None
        return sound[0] if len(sound) == 1 else AllOf(parts=sound)
    op = Operator.ONE_OF if isinstance(value, Items) else Operator.IS
    return _leaf(fact, op, value, value, problems)


def _operator_test(
    fact: Fact, key: document.Scalar, limit: Node, problems: Problems
) -> Leaf | None:
    allowed = [op.value for op in operators_of(fact.type)]
    try:
        op = Operator(key.text)
    except ValueError:
        hint = did_you_mean(key.text, allowed)
        problems.add(key, f"unknown operator '{key.text}'{hint}")
        return None
    return _leaf(fact, op, key, limit, problems)


def _leaf(fact: Fact, op: Operator, at: Node, limit: Node, problems: Problems) -> Leaf | None:
    if op not in OPERATORS[fact.type]:
        kind = fact.type.name.lower()
        allowed = ", ".join(operators_of(fact.type))
        if fact.type is FactType.DURATION and at is limit:
            problems.add(at, f"'{fact.name}' needs an operator, such as {{ over: 90d }}")
            return None
        problems.add(
            at, f"'{op}' is not valid for '{fact.name}', a {kind}; valid operators: {allowed}"
        )
        return None
    value = _limit(fact, op, limit, problems)
    return None if value is None else Leaf(fact=fact, operator=op, limit=value)


def _limit(fact: Fact, op: Operator, node: Node, problems: Problems) -> Limit | None:
    if op is Operator.KNOWN:
        return _boolean(node, f"'{fact.name}: known'", problems)
    if op not in MANY:
        return _scalar(fact, op, node, problems)
    if not isinstance(node, Items) or not node.items:
        problems.add(node, f"'{op}' must be a list of at least one value")
        return None
    values = [_scalar(fact, op, item, problems) for item in node.items]
    sound = tuple(value for value in values if value is not None)
    return sound if len(sound) == len(values) else None


def parse_value(fact: Fact, node: Node, problems: Problems) -> Value:
    """Read the value of an example key's fact; null: the fact is absent."""
    if isinstance(node, document.Scalar) and node.type == "null":
        return None
    return _scalar(fact, Operator.KNOWN, node, problems)


def _scalar(fact: Fact, op: Operator, node: Node, problems: Problems) -> Scalar | None:
    if not isinstance(node, document.Scalar):
        what = fact.name if op is Operator.KNOWN else f"{fact.name}: {op}"
        problems.add(node, f"'{what}' must be a single value")
        return None
    match fact.type:
        case FactType.BOOLEAN:
            return _boolean(node, f"'{fact.name}'", problems)
        case FactType.CHOICE:
            return _choice(fact, node, problems)
        case FactType.DURATION:
            return _duration(fact, op, node, problems)
        case FactType.NUMBER:
            return _number(fact, node, problems)
        case FactType.TEXT:
            return _text(fact, op, node, problems)


def _text(fact: Fact, op: Operator, node: document.Scalar, problems: Problems) -> str | None:
    if node.type == "null":
        problems.add(
            node, f"'{fact.name}' has no value to compare with; did you mean {{ known: false }}?"
        )
        return None
    text = problems.text(node, f"'{fact.name}'")
    if op is Operator.MATCHES and text:
        try:
            compile_expression(text)
        except ValueError as error:
            problems.add(node, f"'{text}' is not a valid regular expression: {error}")
            return None
    if "*" in text and op not in PATTERN | {Operator.KNOWN}:
        problems.add(
            node, f"'{op}' compares '*' literally; write {{ like: \"{text}\" }} to match a pattern"
        )
        return None
    return text or None


def _boolean(node: Node, what: str, problems: Problems) -> bool | None:
    if isinstance(node, document.Scalar) and node.type == "bool":
        if node.text in ("true", "false"):
            return node.text == "true"
        problems.add(node, f"{what}: write true or false instead of {node.text}")
        return None
    problems.add(node, f"{what} must be true or false, without quotes")
    return None


def _choice(fact: Fact, node: document.Scalar, problems: Problems) -> str | None:
    if node.text in fact.choices:
        return node.text
    hint = did_you_mean(node.text, fact.choices)
    problems.add(node, f"'{fact.name}' does not accept '{node.text}'{hint}")
    return None


def _duration(fact: Fact, op: Operator, node: document.Scalar, problems: Problems) -> Scalar | None:
    duration = parse_duration(node.text)
    if duration is None:
        near = f"{node.text}d" if node.type == "int" else "90d"
        problems.add(
            node,
            f"'{fact.name}' must be a duration in whole weeks, days or hours, not '{node.text}';"
            f" write {near}, 12h or 2w",
        )
    elif not duration and op in ORDER and fact.name != "expires_in":
        problems.add(node, f"'{fact.name}: {op} {node.text}' would match every key or none")
        return None
    return duration


def _number(fact: Fact, node: document.Scalar, problems: Problems) -> int | Decimal | None:
    number: int | Decimal | None = whole_number(node)
    is_decimal = fact.decimals and node.type == "float"
    if number is None and is_decimal and _DECIMAL_NUMBER.fullmatch(node.text):
        number = Decimal(node.text)
    if number is not None and 0 <= number <= MOST:
        return Decimal(number) if fact.decimals else number
    what = "a number such as 100 or 0.50" if fact.decimals else "a whole number"
    problems.add(node, f"'{fact.name}' must be {what}, not '{node.text}'")
    return None
