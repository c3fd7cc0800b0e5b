"""Policy files: text -> Policy, or every mistake with its place."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from typing import Final

from scanner.errors import PolicyError, UsageError
from scanner.finding import ExceptionText
from scanner.policy.document import Items, Mapping, Node, Scalar, read_document
from scanner.policy.model import Exemption, Policy, Rule
from scanner.policy.parse_condition import parse_condition
from scanner.policy.parse_rule import parse_name, parse_override, parse_rule
from scanner.policy.problems import Problems
from scanner.spelling import did_you_mean

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


Extend = Callable[[str], Policy]
"""Returns the policy that another extends, by name; raises UsageError or PolicyError."""


def parse_policy(text: str, file: str, extend: Extend | None = None) -> Policy:
    """Read a policy; raise PolicyError with every mistake. `file` is the name shown in them."""
    root, of_its_keys = read_document(text, file)
    problems = Problems(file)
    problems.include(of_its_keys)
    fields = problems.fields(
        root,
        "the policy",
        required=("policy",),
        optional=("description", "extends", "rules", "exceptions"),
    )
    if isinstance(root, Mapping) and not fields.keys() & {"extends", "rules"}:
        problems.add(root, "the policy lacks 'rules'")
    name = parse_name(fields.get("policy"), "the policy's name", problems)
    bases = _bases(fields.get("extends"), extend, problems)
    inherited = _inherited(bases, name, fields.get("extends"), problems)
    rules, disabled = _rules(fields.get("rules"), name, inherited, problems)
    exemptions = _exemptions(fields.get("exceptions"), {*rules, *disabled}, problems)
    policy = Policy(
        name=name,
        description=problems.prose(fields.get("description"), "'description'"),
        rules=tuple(rules.values()),
        exemptions=(*(e for base in bases for e in base.exemptions), *exemptions),
        disabled={
            rule_id: reason
            for group in (*(base.disabled for base in bases), disabled)
            for rule_id, reason in group.items()
            if rule_id not in rules
        },
    )
    problems.raise_if_any()
    return policy


def _bases(node: Node | None, extend: Extend | None, problems: Problems) -> list[Policy]:
    """Return the policies that this one extends."""
    bases = []
    for item in node.items if isinstance(node, Items) else () if node is None else (node,):
        name = problems.text(item, "'extends'")
        try:
            if name and extend is not None:
                bases.append(extend(name))
        except PolicyError as error:
            problems.include(error.problems)
        except UsageError as error:
            problems.add(item, str(error))
    return bases


def _inherited(
    bases: list[Policy], name: str, node: Node | None, problems: Problems
) -> dict[str, Rule]:
    """Return the rules that are taken over, as the policy's own, by id."""
    rules: dict[str, Rule] = {}
    for base in bases:
        for rule in base.rules:
            if rule.text.id in rules and node is not None:
                problems.add(node, f"two of the extended policies have a rule '{rule.text.id}'")
            rules[rule.text.id] = replace(rule, text=replace(rule.text, policy=name))
    return rules


def _rules(
    node: Node | None, policy: str, inherited: dict[str, Rule], problems: Problems
) -> tuple[dict[str, Rule], dict[str, str]]:
    """Return all rules by id, and the reasons of those that are disabled."""
    rules, disabled = dict(inherited), dict[str, str]()
    if node is None:
        return rules, disabled
    if not isinstance(node, Items) or not (node.items or inherited):
        problems.add(node, "'rules' takes a list with at least one rule in it")
        return rules, disabled
    first_lines: dict[str, int] = {}
    for item in node.items:
        id_node = _field(item, "id")
        rule_id = _note_id(id_node, first_lines, problems)
        base = inherited.get(rule_id)
        if id_node and inherited and not base and _field(item, "violated_when") is None:
            hint = did_you_mean(rule_id, inherited)
            problems.add(id_node, f"no extended policy has a rule '{rule_id}'{hint}")
            continue
        read = parse_override(item, base, problems) if base else parse_rule(item, policy, problems)
        if isinstance(read, str):
            disabled[rule_id] = read
            rules.pop(rule_id, None)
        elif read is not None:
            rules[read.text.id] = read
    return rules, disabled


def _field(node: Node, name: str) -> Node | None:
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((value for key, value in entries if key.text == name), None)


def _note_id(id_node: Node | None, first_lines: dict[str, int], problems: Problems) -> str:
    """Return a rule's id; note one that another has: a finding is known by it every night."""
    if not isinstance(id_node, Scalar):
        return ""
    if id_node.text in first_lines:
        first = first_lines[id_node.text]
        problems.add(id_node, f"rule '{id_node.text}': the id stands twice, first on line {first}")
    else:
        first_lines[id_node.text] = id_node.line
    return id_node.text


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
        file=problems.file,
        line=node.line,
        column=node.column,
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
