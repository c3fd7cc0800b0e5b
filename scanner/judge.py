"""The judgement: inventory x policies x now -> findings. Pure."""

from collections.abc import Sequence
from datetime import datetime

from scanner.finding import Finding, Outcome
from scanner.inventory import Inventory
from scanner.policy.conditions import Verdict
from scanner.policy.model import Policy, Rule
from scanner.policy.subject import Subject, subjects


def judge(inventory: Inventory, policies: Sequence[Policy], now: datetime) -> tuple[Finding, ...]:
    """Hold every key against every rule.

    Returns what is violated or could not be decided, worst first, then by rule, project and key.
    """
    rules = [rule for policy in policies for rule in policy.rules]
    findings = [
        finding
        for subject in subjects(inventory, now)
        for rule in rules
        if (finding := _decide(rule, subject)) is not None
    ]
    return tuple(sorted(findings, key=_reading_order))


def _decide(rule: Rule, subject: Subject) -> Finding | None:
    violated = _violated(rule, subject)
    if violated.truth is False:
        return None
    return Finding(
        rule=rule.text,
        outcome=Outcome.UNDETERMINED if violated.truth is None else Outcome.VIOLATED,
        key=subject.key,
        project=subject.project,
        owner_state=subject.owner_state,
        owner_email=subject.owner_email,
        evidence=violated.evidence,
    )


def _violated(rule: Rule, subject: Subject) -> Verdict:
    """Kleene's `applies_to and violated_when`; evidence of the scope only where it is unknown."""
    if rule.applies_to is None:
        return rule.violated_when.decide(subject)
    scope = rule.applies_to.decide(subject)
    if scope.truth is False:
        return scope
    violated = rule.violated_when.decide(subject)
    if scope.truth is True or violated.truth is False:
        return violated
    evidence = scope.evidence + (violated.evidence if violated.truth is None else ())
    return Verdict(truth=None, evidence=evidence)


def _reading_order(finding: Finding) -> tuple[bool, int, str, str, str]:
    return (
        finding.outcome is Outcome.UNDETERMINED,
        finding.rule.severity.rank,
        finding.rule.id,
        (finding.project.name or "") if finding.project else "",
        finding.key.id,
    )
