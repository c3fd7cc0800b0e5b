"""Policy files: text -> Policy, or every mistake with its place."""

import re
from collections.abc import Collection
from datetime import date
from typing import Final

from scanner.finding import ExceptionText
from scanner.policy.document import Items, Mapping, Node, Scalar, read_document
from scanner.policy.model import Exemption, Policy, Rule
from scanner.policy.parse_condition import parse_condition
from scanner.policy.parse_rule import parse_name, parse_rule
from scanner.policy.problems import Problems, did_you_mean

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_policy(text: str, file: str) -> Policy:
    """Read a policy; raise PolicyError with every mistake. `file` is the name shown in them."""
    root = read_document(text, file)
    problems = Problems(file)
    fields = problems.fields(
        root, "the policy", required=("policy", "rules"), optional=("description", "exceptions")
    )
    name = parse_name(fields.get("policy"), "the policy's name", problems)
    rules = _rules(fields.get("rules"), name, problems)
    policy = Policy(
        name=name,
        description=problems.prose(fields.get("description"), "'description'"),
        rules=rules,
        exemptions=_exemptions(
            fields.get("exceptions"), [rule.text.id for rule in rules], problems
        ),
    )
    problems.raise_if_any()
    return policy


def _rules(node: Node | None, policy: str, problems: Problems) -> tuple[Rule, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'rules' takes a list with at least one rule in it")
        return ()
    first_lines: dict[str, int] = {}
    rules = []
    for item in node.items:
        rule = parse_rule(item, policy, problems)
        _refuse_twice(item, first_lines, problems)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _refuse_twice(node: Node, first_lines: dict[str, int], problems: Problems) -> None:
    """Note a rule's id that another has; by it a finding is known from night to night."""
    entries = node.entries if isinstance(node, Mapping) else ()
    id_node = next((value for key, value in entries if key.text == "id"), None)
    if not isinstance(id_node, Scalar):
        return
    if id_node.text in first_lines:
        first = first_lines[id_node.text]
        problems.add(id_node, f"rule '{id_node.text}': the id stands twice, first on line {first}")
    else:
        first_lines[id_node.text] = id_node.line


def _exemptions(
    node: Node | None, rules: Collection[str], problems: Problems
) -> tuple[Exemption, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'exceptions' takes a list with at least one exception in it")
        return ()
    exemptions = [_exemption(item, rules, problems) for item in node.items]
    return tuple(exemption for exemption in exemptions if exemption is not None)


def _exemption(node: Node, rules: Collection[str], problems: Problems) -> Exemption | None:
    """Read an exception: it must say why, who answers for it, and when it ends."""
    fields = problems.fields(
        node,
        "an exception",
        required=("rule", "when", "reason", "owner", "expires"),
        optional=("ticket",),
    )
    when = parse_condition(fields["when"], problems) if "when" in fields else None
    text = ExceptionText(
        rules=_excepted(fields.get("rule"), rules, problems),
        reason=problems.prose(fields.get("reason"), "'reason'"),
        owner=problems.prose(fields.get("owner"), "'owner'"),
        ticket=problems.prose(fields.get("ticket"), "'ticket'"),
        expires=_date(fields.get("expires"), problems),
    )
    return None if when is None else Exemption(text=text, when=when)


def _excepted(node: Node | None, rules: Collection[str], problems: Problems) -> tuple[str, ...]:
    """Return the ids of the rules that an exception is from: one, or a list."""
    nodes = node.items if isinstance(node, Items) else () if node is None else (node,)
    if isinstance(node, Items) and not nodes:
        problems.add(node, "'rule' takes the id of a rule, or a list of them")
    excepted = []
    for item in nodes:
        rule_id = problems.text(item, "'rule'")
        if rule_id and rule_id not in rules:
            hint = did_you_mean(rule_id, rules) if rules else ""
            problems.add(item, f"there is no rule '{rule_id}' in this policy{hint}")
        excepted.append(rule_id)
    return tuple(excepted)


def _date(node: Node | None, problems: Problems) -> date:
    if node is None:
        return date.min
    text = node.text if isinstance(node, Scalar) else ""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    problems.add(node, f"'expires' is a day such as 2027-01-31, which '{text}' is not")
    return date.min
