"""The grammar of one rule: its texts, its conditions, its steps, its response and its examples."""

from collections.abc import Mapping as Map
from dataclasses import replace
from typing import Any, Final

from scanner.durations import parse_duration
from scanner.finding import RuleText
from scanner.policy.conditions import AllOf, Condition
from scanner.policy.defect import allowed_placeholders, for_many, unknown_placeholders, with_limit
from scanner.policy.document import Items, Mapping, Node, Scalar
from scanner.policy.model import Example, Response, Rule, Step
from scanner.policy.parse_condition import parse_condition, parse_value
from scanner.policy.problems import Problems
from scanner.policy.registry import FACTS, Value
from scanner.revocation import Method
from scanner.schemas import is_whole
from scanner.severity import Severity
from scanner.spelling import did_you_mean

REQUIRED: Final = ("id", "title", "severity", "violated_when", "why", "fix")
OPTIONAL: Final = ("finding", "applies_to", "severity_when", "controls", "respond", "examples")

Fields = Map[str, Node]

NAME: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
CONTROL: Final = r"[a-z0-9.-]+:[A-Za-z0-9.()-]+"
_SEVERITIES: Final = tuple(severity.value for severity in Severity)


def parse_rule(node: Node, policy: str, problems: Problems) -> Rule | None:
    """Read one rule of the policy named `policy`; None if `violated_when` could not be read."""
    fields = problems.fields(node, "a rule", required=REQUIRED, optional=OPTIONAL, label="id")
    rule = _rule(fields, policy, problems)
    problems.rule = None
    return None if rule is None else _placed(rule, node, problems)


def parse_override(node: Node, base: Rule, problems: Problems) -> Rule | str:
    """Read a policy's changes of an inherited rule; return the reason if it disables the rule."""
    optional = (*REQUIRED[1:], *OPTIONAL, "disabled", "reason")
    fields = problems.fields(node, "an override", required=("id",), optional=optional, label="id")
    if "disabled" in fields or "reason" in fields:
        reason = _disabled(node, fields, problems)
        problems.rule = None
        return reason
    changed = _changed(fields, base, problems)
    problems.rule = None
    return _placed(changed, node, problems)


def parse_change(node: Node, problems: Problems) -> None:
    """Note the mistakes in a policy's changes of a rule that could not be read."""
    text = RuleText(id="", policy="", title="", severity=Severity.INFO, why="", fix="", controls=())
    parse_override(node, Rule(text=text, applies_to=None, violated_when=AllOf(parts=())), problems)


def _placed(rule: Rule, node: Node, problems: Problems) -> Rule:
    return replace(
        rule,
        text=replace(
            rule.text,
            file=problems.file,
            line=node.line,
            column=node.column,
            reads=rule.reads,
            defect=for_many(rule.finding, rule.violated_when),
            finding=with_limit(rule.finding, rule.violated_when),
        ),
    )


def _disabled(node: Node, fields: Fields, problems: Problems) -> str:
    """Return why a rule is disabled; note all other fields as mistakes."""
    switch = fields.get("disabled")
    if not isinstance(switch, Scalar) or (switch.type, switch.text) != ("bool", "true"):
        problems.add(switch or node, "write both disabled: true and a reason, or neither")
    if "reason" not in fields:
        problems.add(node, "a disabled rule lacks 'reason'")
    for name, value in fields.items():
        if name not in ("id", "disabled", "reason"):
            problems.add(value, f"'{name}' has no effect on a disabled rule; remove it")
    return problems.prose(fields.get("reason"), "'reason'")


def _changed(fields: Fields, base: Rule, problems: Problems) -> Rule:
    """Return the rule with the fields replaced.

    Its examples are dropped if its conditions change.
    """
    text = base.text
    severity = _severity(fields["severity"], problems) if "severity" in fields else text.severity
    scope = fields.get("applies_to")
    violated_when = fields.get("violated_when")
    parsed = parse_condition(violated_when, problems) if violated_when else None
    is_same = scope is None and violated_when is None
    steps = _steps(fields.get("severity_when"), severity, problems)
    kept = tuple(step for step in base.steps if step.severity.rank < severity.rank)
    prose: dict[str, Any] = {
        name: problems.prose(fields[name], f"'{name}'")
        for name in ("title", "why", "fix")
        if name in fields
    }
    controls = _controls(fields.get("controls"), problems) or text.controls
    condition = parsed or base.violated_when
    finding = _finding(fields.get("finding"), condition, problems)
    return Rule(
        text=replace(text, severity=severity, controls=controls, **prose),
        finding=finding or base.finding,
        applies_to=parse_condition(scope, problems) if scope else base.applies_to,
        violated_when=condition,
        steps=steps if "severity_when" in fields else kept,
        respond=_respond(fields.get("respond"), problems) or base.respond,
        examples=_examples(fields.get("examples"), problems) or (base.examples if is_same else ()),
    )


def _rule(fields: Fields, policy: str, problems: Problems) -> Rule | None:
    scope, violated_when = fields.get("applies_to"), fields.get("violated_when")
    applies_to = parse_condition(scope, problems) if scope else None
    violated = parse_condition(violated_when, problems) if violated_when else None
    severity = _severity(fields.get("severity"), problems)
    text = RuleText(
        id=parse_name(fields.get("id"), "'id'", problems),
        policy=policy,
        title=problems.prose(fields.get("title"), "'title'"),
        severity=severity,
        why=problems.prose(fields.get("why"), "'why'"),
        fix=problems.prose(fields.get("fix"), "'fix'"),
        controls=_controls(fields.get("controls"), problems),
    )
    steps = _steps(fields.get("severity_when"), severity, problems)
    respond = _respond(fields.get("respond"), problems)
    examples = _examples(fields.get("examples"), problems)
    finding = _finding(fields.get("finding"), violated, problems)
    if violated is None:
        return None
    return Rule(
        text=text,
        finding=finding,
        applies_to=applies_to,
        violated_when=violated,
        steps=steps,
        respond=respond,
        examples=examples,
    )


def _finding(node: Node | None, condition: Condition | None, problems: Problems) -> str:
    """Read the text of findings; note placeholders that stand for nothing in the condition."""
    text = problems.prose(node, "'finding'")
    if node is not None and condition is not None:
        known = allowed_placeholders(condition)
        for name in unknown_placeholders(text, condition):
            hint = did_you_mean(name, known)
            problems.add(node, f"unknown placeholder '{{{name}}}' in 'finding'{hint}")
    return text


def parse_name(node: Node | None, what: str, problems: Problems) -> str:
    """Read a name: lower-case words joined by hyphens; note a mistake if it is not one."""
    text = problems.text(node, what)
    if node is not None and text and not is_whole(NAME, text):
        problems.add(node, f"{what} must be lower-case words joined by hyphens, not '{text}'")
    return text


def _severity(node: Node | None, problems: Problems) -> Severity:
    """Return the severity, or INFO after noting a mistake."""
    if isinstance(node, Scalar) and node.text in _SEVERITIES:
        return Severity(node.text)
    if node is not None:
        written = node.text if isinstance(node, Scalar) else ""
        hint = did_you_mean(written, _SEVERITIES)
        problems.add(node, f"'severity' does not accept '{written}'{hint}")
    return Severity.INFO


def _steps(node: Node | None, base: Severity, problems: Problems) -> tuple[Step, ...]:
    """Read the conditions that raise the severity, worst first."""
    if node is None:
        return ()
    worse = _SEVERITIES[: base.rank]
    if not isinstance(node, Mapping) or not node.entries:
        example = "such as { critical: { age: { over: 365d } } }"
        problems.add(node, f"'severity_when' must map severities to conditions, {example}")
        return ()
    steps = []
    for key, value in node.entries:
        if key.text not in _SEVERITIES:
            hint = did_you_mean(key.text, worse)
            problems.add(key, f"'severity_when' does not accept '{key.text}'{hint}")
            continue
        if key.text not in worse:
            problems.add(
                key,
                f"'severity_when' can only raise the severity: '{key.text}' is not worse than"
                f" {base}",
            )
        when = parse_condition(value, problems)
        if when is not None:
            steps.append(Step(severity=Severity(key.text), when=when))
    return tuple(sorted(steps, key=lambda step: step.severity.rank))


def _controls(node: Node | None, problems: Problems) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        problems.add(
            node, "'controls' must be a list of at least one control, such as [owasp-nhi:NHI7]"
        )
        return ()
    controls = []
    for item in node.items:
        control = problems.text(item, "a control")
        if control and not is_whole(CONTROL, control):
            problems.add(
                item, f"'{control}' does not have the form framework:id, such as owasp-nhi:NHI7"
            )
        controls.append(control)
    return tuple(controls)


def _respond(node: Node | None, problems: Problems) -> Response | None:
    if node is None:
        return None
    fields = problems.fields(node, "'respond'", required=("revoke", "after"), optional=())
    method, after = fields.get("revoke"), fields.get("after")
    methods = tuple(Method)
    if method is not None and not (isinstance(method, Scalar) and method.text in methods):
        written = method.text if isinstance(method, Scalar) else ""
        hint = did_you_mean(written, methods)
        problems.add(method, f"'revoke' does not accept '{written}'{hint}")
        return None
    duration = parse_duration(after.text) if isinstance(after, Scalar) else None
    if after is not None and not duration:
        problems.add(
            after,
            "'after' must be the grace period for owners, such as 14d; more than 0, at most 99999d",
        )
        return None
    if not isinstance(method, Scalar) or duration is None:
        return None
    return Response(revoke=Method(method.text), after=duration)


def _examples(node: Node | None, problems: Problems) -> tuple[Example, ...]:
    if node is None:
        return ()
    fields = problems.fields(node, "'examples'", required=(), optional=("violating", "compliant"))
    examples: list[Example] = []
    for kind, listed in fields.items():
        if not isinstance(listed, Items) or not listed.items:
            problems.add(
                listed, f"'{kind}' must be a list of example keys, such as [{{ age: 91d }}]"
            )
            continue
        for item in listed.items:
            facts = _example(item, problems)
            examples.append(
                Example(
                    facts=facts,
                    is_violating=kind == "violating",
                    file=problems.file,
                    line=item.line,
                    column=item.column,
                )
            )
    return tuple(examples)


def _example(node: Node, problems: Problems) -> dict[str, Value]:
    if not isinstance(node, Mapping) or not node.entries:
        problems.add(node, "an example must be a mapping of facts, such as { age: 91d }")
        return {}
    facts: dict[str, Value] = {}
    for key, value in node.entries:
        fact = FACTS.get(key.text)
        if fact is None:
            problems.add(key, f"unknown fact '{key.text}'{did_you_mean(key.text, FACTS)}")
        else:
            facts[key.text] = parse_value(fact, value, problems)
    return facts
