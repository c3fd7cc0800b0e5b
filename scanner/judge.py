"""The judgement: inventory x policies x now -> findings. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from scanner.finding import (
    Evidence,
    ExceptionTally,
    ExceptionText,
    Finding,
    Judgement,
    Outcome,
    RuleTally,
    Severity,
)
from scanner.inventory import Inventory
from scanner.policy.model import Exemption, Policy, Rule
from scanner.policy.registry import Values
from scanner.policy.subject import Subject, subjects


def judge(inventory: Inventory, policies: Sequence[Policy], now: datetime) -> Judgement:
    """Hold every key against every rule.

    Returns what is violated, excepted or could not be decided, in this order and worst first, then
    by rule, project and key; every rule's tally; and every exception's.
    """
    exemptions = [exemption for policy in policies for exemption in policy.exemptions]
    holding = [exemption for exemption in exemptions if exemption.text.holds(now)]
    rules = sorted((rule for policy in policies for rule in policy.rules), key=_rule_order)
    dockets = [_Docket(rule, holding) for rule in rules]
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
            if truth is not False:
                docket.enter(values, is_certain=truth is True and scope is True)
    return Judgement(
        findings=tuple(_in_order(dockets)),
        rules=tuple(docket.tally(len(inventory.keys)) for docket in dockets),
        exceptions=_exception_tallies(exemptions, dockets, now),
    )


class _Docket:
    """One rule, the exceptions from it, and what became of the keys it was held against."""

    def __init__(self, rule: Rule, exemptions: Sequence[Exemption]) -> None:
        self.rule = rule
        self.outside = 0
        self.found: defaultdict[tuple[Outcome, Severity], list[Finding]] = defaultdict(list)
        self._exemptions = [e for e in exemptions if rule.text.id in e.text.rules]

    def enter(self, values: Values, *, is_certain: bool) -> None:
        """Enter a key that violates the rule, or may violate it."""
        outcome = Outcome.VIOLATED if is_certain else Outcome.UNDETERMINED
        severity = self.rule.severity(values) if self.rule.steps else self.rule.text.severity
        excepted: ExceptionText | None = None
        if self._exemptions:
            outcome, excepted = self._exempted(values, outcome)
        subject = values.subject
        finding = Finding(
            rule=self.rule.text,
            severity=severity,
            outcome=outcome,
            key=subject.key,
            project=subject.project,
            owner_state=subject.owner_state,
            owner_email=subject.owner_email,
            evidence=self._evidence(values, is_certain=is_certain),
            exception=excepted,
        )
        self.found[outcome, severity].append(finding)

    def tally(self, keys: int) -> RuleTally:
        """Count the findings; `keys` is how many were held against the rule."""
        counts: Counter[Outcome] = Counter()
        for (outcome, _), findings in self.found.items():
            counts[outcome] += len(findings)
        return RuleTally(
            rule=self.rule.text,
            applied=keys - self.outside,
            violated=counts[Outcome.VIOLATED],
            excepted=counts[Outcome.EXCEPTED],
            undetermined=counts[Outcome.UNDETERMINED],
        )

    def _exempted(self, values: Values, outcome: Outcome) -> tuple[Outcome, ExceptionText | None]:
        """Return Kleene's `violated and not excepted`: an exception that is open leaves it open."""
        truths = {exemption.when.test(values): exemption.text for exemption in self._exemptions}
        if True in truths:
            return Outcome.EXCEPTED, truths[True]
        return (Outcome.UNDETERMINED if None in truths else outcome), None

    def _evidence(self, values: Values, *, is_certain: bool) -> tuple[Evidence, ...]:
        """Return what decided; or all that left open if the rule applies, if it is violated."""
        rows = self.rule.violated_when.evidence(values) if is_certain else ()
        if is_certain and not self._exemptions:
            return rows
        parts = (
            self.rule.applies_to,
            self.rule.violated_when,
            *(exemption.when for exemption in self._exemptions),
        )
        left_open = (part for part in parts if part is not None and part.test(values) is None)
        return (*rows, *(row for part in left_open for row in part.evidence(values)))


def _in_order(dockets: Sequence[_Docket]) -> list[Finding]:
    by_id = sorted(dockets, key=lambda docket: docket.rule.text.id)
    return [
        finding
        for outcome in Outcome
        for severity in Severity
        for docket in by_id
        for finding in docket.found.get((outcome, severity), ())
    ]


def _exception_tallies(
    exemptions: Sequence[Exemption], dockets: Sequence[_Docket], now: datetime
) -> tuple[ExceptionTally, ...]:
    used = Counter(
        finding.exception
        for docket in dockets
        for findings in docket.found.values()
        for finding in findings
        if finding.exception
    )
    return tuple(
        ExceptionTally(exception=e.text, active=e.text.holds(now), excepted=used[e.text])
        for e in exemptions
    )


def _rule_order(rule: Rule) -> tuple[int, str]:
    return rule.text.severity.rank, rule.text.id


def _reading_order(subject: Subject) -> tuple[str, str]:
    return (subject.project.name or "") if subject.project else "", subject.key.id
