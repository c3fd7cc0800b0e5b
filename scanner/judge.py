"""The judgement: inventory x policies x now -> findings. Pure."""

from collections.abc import Sequence
from datetime import datetime

from scanner.finding import Evidence, Finding, Judgement, Outcome, RuleTally
from scanner.inventory import Inventory
from scanner.policy.model import Policy, Rule
from scanner.policy.registry import Values
from scanner.policy.subject import Subject, subjects


class _Docket:
    """One rule and what became of the keys it was held against."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.outside = 0
        self.violated: list[Finding] = []
        self.undetermined: list[Finding] = []

    def tally(self, keys: int) -> RuleTally:
        return RuleTally(
            rule=self.rule.text,
            applied=keys - self.outside,
            violated=len(self.violated),
            undetermined=len(self.undetermined),
        )


def judge(inventory: Inventory, policies: Sequence[Policy], now: datetime) -> Judgement:
    """Hold every key against every rule.

    Returns what is violated or could not be decided, worst first, then by rule, project and key,
    and for every rule how many keys it applied to.
    """
    rules = [rule for policy in policies for rule in policy.rules]
    rules.sort(key=lambda rule: (rule.text.severity.rank, rule.text.id))
    dockets = [_Docket(rule) for rule in rules]
    tests = [
        (rule.applies_to.test if rule.applies_to else None, rule.violated_when.test, docket)
        for rule, docket in zip(rules, dockets, strict=True)
    ]
    for subject in sorted(subjects(inventory, now), key=_reading_order):
        values = Values(subject)
        for in_scope, violates, docket in tests:
            scope = True if in_scope is None else in_scope(values)
            if scope is False:
                docket.outside += 1
                continue
            truth = violates(values)
            if truth is False:
                continue
            if truth is True and scope is True:
                docket.violated.append(_finding(docket.rule, values, Outcome.VIOLATED))
            else:
                docket.undetermined.append(_finding(docket.rule, values, Outcome.UNDETERMINED))
    return Judgement(
        findings=(
            *(finding for docket in dockets for finding in docket.violated),
            *(finding for docket in dockets for finding in docket.undetermined),
        ),
        rules=tuple(docket.tally(len(inventory.keys)) for docket in dockets),
    )


def _finding(rule: Rule, values: Values, outcome: Outcome) -> Finding:
    subject = values.subject
    is_open = outcome is Outcome.UNDETERMINED
    return Finding(
        rule=rule.text,
        outcome=outcome,
        key=subject.key,
        project=subject.project,
        owner_state=subject.owner_state,
        owner_email=subject.owner_email,
        evidence=_open_evidence(rule, values) if is_open else rule.violated_when.evidence(values),
    )


def _open_evidence(rule: Rule, values: Values) -> tuple[Evidence, ...]:
    """Return what left it open whether the rule applies, whether it is violated, or both."""
    conditions = (rule.applies_to, rule.violated_when)
    return tuple(
        row
        for condition in conditions
        if condition and condition.test(values) is None
        for row in condition.evidence(values)
    )


def _reading_order(subject: Subject) -> tuple[str, str]:
    return (subject.project.name or "") if subject.project else "", subject.key.id
