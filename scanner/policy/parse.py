"""Policy files: text -> Policy, or every mistake with its place."""

import re
from typing import Final

from scanner.finding import RuleText, Severity
from scanner.policy.document import Items, Node, Scalar, read_document
from scanner.policy.model import Policy, Rule
from scanner.policy.parse_condition import parse_condition
from scanner.policy.problems import Problems, did_you_mean

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CONTROL: Final = re.compile(r"[a-z0-9.-]+:[A-Za-z0-9.()-]+")


def parse_policy(text: str, file: str) -> Policy:
    """Read a policy; raise PolicyError with every mistake. `file` is the name shown in them."""
    root = read_document(text, file)
    problems = Problems(file)
    fields = problems.fields(
        root, "the policy", required=("policy", "rules"), optional=("description",)
    )
    name = _name(fields.get("policy"), "the policy's name", problems)
    policy = Policy(
        name=name,
        description=problems.prose(fields.get("description"), "'description'"),
        rules=_rules(fields.get("rules"), name, problems),
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
    rules = [_rule(item, policy, first_lines, problems) for item in node.items]
    return tuple(rule for rule in rules if rule is not None)


def _rule(node: Node, policy: str, first_lines: dict[str, int], problems: Problems) -> Rule | None:
    """Read one rule; None if what violates it could not be read."""
    fields = problems.fields(
        node,
        "a rule",
        required=("id", "title", "severity", "violated_when", "why", "fix"),
        optional=("applies_to", "controls"),
        label="id",
    )
    rule_id = _name(fields.get("id"), "'id'", problems)
    if rule_id in first_lines:
        problems.add(fields["id"], f"the id stands twice, first on line {first_lines[rule_id]}")
    elif rule_id:
        first_lines[rule_id] = fields["id"].line
    scope, violated_when = fields.get("applies_to"), fields.get("violated_when")
    applies_to = parse_condition(scope, problems) if scope else None
    violated = parse_condition(violated_when, problems) if violated_when else None
    text = RuleText(
        id=rule_id,
        policy=policy,
        title=problems.prose(fields.get("title"), "'title'"),
        severity=_severity(fields.get("severity"), problems),
        why=problems.prose(fields.get("why"), "'why'"),
        fix=problems.prose(fields.get("fix"), "'fix'"),
        controls=_controls(fields.get("controls"), problems),
    )
    problems.rule = None
    if violated is None:
        return None
    return Rule(text=text, applies_to=applies_to, violated_when=violated)


def _name(node: Node | None, what: str, problems: Problems) -> str:
    text = problems.text(node, what)
    if node is not None and text and not _NAME.fullmatch(text):
        problems.add(node, f"{what} is lower-case words joined by hyphens, which '{text}' is not")
    return text


def _severity(node: Node | None, problems: Problems) -> Severity:
    """Return the severity, or INFO after noting what is wrong."""
    names = tuple(severity.value for severity in Severity)
    if isinstance(node, Scalar) and node.text in names:
        return Severity(node.text)
    if node is not None:
        written = node.text if isinstance(node, Scalar) else ""
        problems.add(node, f"'severity' is never '{written}'{did_you_mean(written, names)}")
    return Severity.INFO


def _controls(node: Node | None, problems: Problems) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items):
        problems.add(node, "'controls' takes a list, such as [owasp-nhi:NHI7]")
        return ()
    controls = []
    for item in node.items:
        control = problems.text(item, "a control")
        if control and not _CONTROL.fullmatch(control):
            problems.add(
                item, f"'{control}' is not of the form framework:id, such as owasp-nhi:NHI7"
            )
        controls.append(control)
    return tuple(controls)
