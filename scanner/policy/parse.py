"""Policy files: text -> Policy, or every mistake with its place."""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Final

from scanner.errors import PolicyError, Problem, UsageError
from scanner.finding import ExceptionText
from scanner.policy.document import Items, Mapping, Node, Scalar, read_document
from scanner.policy.merge import each_once
from scanner.policy.model import Exemption, Policy
from scanner.policy.parse_condition import parse_condition
from scanner.policy.parse_rule import parse_name
from scanner.policy.parse_rules import Rules
from scanner.policy.problems import Problems
from scanner.spelling import did_you_mean, is_near

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


Extend = Callable[[str], Policy]
"""Returns the policy that another extends, by name; raises UsageError or PolicyError."""


def parse_policy(text: str, file: str, extend: Extend | None = None) -> Policy:
    """Read a policy; raise PolicyError with every mistake. `file` is the name shown in them."""
    policy, problems = read_policy(text, file, extend)
    if problems:
        raise PolicyError(problems)
    return policy


def read_policy(
    text: str, file: str, extend: Extend | None = None
) -> tuple[Policy, tuple[Problem, ...]]:
    """Return the policy, without the rules and exceptions that have mistakes, and all mistakes.

    Raise PolicyError if it is not YAML.
    """
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
    description = problems.prose(fields.get("description"), "'description'")
    before = problems.count
    bases = _bases(fields.get("extends"), extend, problems)
    is_sure = problems.count == before and not _misspells_extends(root, of_its_keys)
    rules = Rules(name, bases, problems, is_sure=is_sure)
    rules.read(fields.get("rules"))
    rules.refuse_conflicts(fields.get("extends"))
    exemptions = _exemptions(fields.get("exceptions"), rules.known if is_sure else None, problems)
    policy = Policy(
        name=name,
        description=description,
        rules=tuple(rules.sound()),
        exemptions=each_once((*(e for base in bases for e in base.exemptions), *exemptions)),
        disabled=rules.disabled,
    )
    return policy, problems.found


def _bases(node: Node | None, extend: Extend | None, problems: Problems) -> list[Policy]:
    """Return the policies that this one extends."""
    if isinstance(node, Items) and not node.items:
        problems.add(node, "'extends' must be the name of a policy or a file, or a list of these")
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


def _misspells_extends(root: Node, of_its_keys: Iterable[Problem]) -> bool:
    """Whether `extends` is probably misspelt or is a duplicate: more may be extended."""
    entries = root.entries if isinstance(root, Mapping) else ()
    meant = any(is_near(key.text, "extends") for key, _ in entries if key.text != "extends")
    return meant or any(problem.message.startswith("'extends' ") for problem in of_its_keys)


def _exemptions(
    node: Node | None, rules: Collection[str] | None, problems: Problems
) -> tuple[Exemption, ...]:
    """Read the exceptions; `rules` are the ids of all rules, None: not all are known."""
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'exceptions' must be a list of at least one exception")
        return ()
    exemptions = [_exemption(item, rules, problems) for item in node.items]
    return tuple(exemption for exemption in exemptions if exemption is not None)


def _exemption(node: Node, rules: Collection[str] | None, problems: Problems) -> Exemption | None:
    """Read an exception with its reason, owner and expiry; None after noting mistakes."""
    before = problems.count
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
    return Exemption(text=text, when=when) if when and problems.count == before else None


def _excepted(
    node: Node | None, rules: Collection[str] | None, problems: Problems
) -> tuple[str, ...]:
    """Return the ids of the rules of an exception: one, or a list."""
    nodes = node.items if isinstance(node, Items) else () if node is None else (node,)
    if isinstance(node, Items) and not nodes:
        problems.add(node, "'rule' must be the id of a rule, or a list of ids")
    excepted = []
    for item in nodes:
        rule_id = problems.text(item, "'rule'")
        if rule_id and rules is not None and rule_id not in rules:
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
    problems.add(node, f"'expires' must be a date such as 2027-01-31, not '{text}'")
    return date.min
