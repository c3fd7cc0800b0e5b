"""The judgement: inventory x policies x now -> findings. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from scanner.finding import Finding, Judgement, Outcome, RuleTally
from scanner.inventory import Inventory
from scanner.policy.conditions import Verdict
from scanner.policy.model import Policy, Rule
from scanner.policy.subject import Subject, subjects


def judge(inventory: Inventory, policies: Sequence[Policy], now: datetime) -> Judgement:
    """Hold every key against every rule.

    Returns what is violated or could not be decided, worst first, then by rule, project and key,
    and for every rule how many keys it applied to.
    """
    rules = [rule for policy in policies for rule in policy.rules]
    applied: Counter[str] = Counter()
    decided: Counter[tuple[str, Outcome]] = Counter()
    findings: list[Finding] = []
    for subject in subjects(inventory, now):
        for rule in rules:
            verdict = _decide(rule, subject)
            applied[rule.text.id] += verdict is not None
            if verdict is None or verdict.truth is False:
                continue
            findings.append(_finding(rule, subject, verdict))
            decided[rule.text.id, findings[-1].outcome] += 1
    tallies = (
        RuleTally(
            rule=rule.text,
            applied=applied[rule.text.id],
            violated=decided[rule.text.id, Outcome.VIOLATED],
            undetermined=decided[rule.text.id, Outcome.UNDETERMINED],
        )
        for rule in rules
    )
    return Judgement(
        findings=tuple(sorted(findings, key=_reading_order)),
        rules=tuple(sorted(tallies, key=lambda tally: (tally.rule.severity.rank, tally.rule.id))),
    )


def _decide(rule: Rule, subject: Subject) -> Verdict | None:
    """Return Kleene's `applies_to and violated_when`; None if the rule does not apply at all.

    Evidence of the scope is given only where the scope is unknown.
    """
    if rule.applies_to is None:
        return rule.violated_when.decide(subject)
    scope = rule.applies_to.decide(subject)
    if scope.truth is False:
        return None
    violated = rule.violated_when.decide(subject)
    if scope.truth is True or violated.truth is False:
        return violated
    evidence = scope.evidence + (violated.evidence if violated.truth is None else ())
    return Verdict(truth=None, evidence=evidence)


def _finding(rule: Rule, subject: Subject, verdict: Verdict) -> Finding:
    return Finding(
        rule=rule.text,
        outcome=Outcome.UNDETERMINED if verdict.truth is None else Outcome.VIOLATED,
        key=subject.key,
        project=subject.project,
        owner_state=subject.owner_state,
        owner_email=subject.owner_email,
        evidence=verdict.evidence,
    )


def _reading_order(finding: Finding) -> tuple[bool, int, str, str, str]:
    return (
        finding.outcome is Outcome.UNDETERMINED,
        finding.rule.severity.rank,
        finding.rule.id,
        (finding.project.name or "") if finding.project else "",
        finding.key.id,
    )
