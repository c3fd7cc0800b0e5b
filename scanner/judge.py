"""The evaluation: inventory x policies x now -> findings. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter
from typing import Final

from scanner.finding import ExceptionTally, ExceptionText, Finding, Judgement, Outcome, RuleTally
from scanner.inventory import Inventory
from scanner.policy.answers import NO_ROWS, Answers, Rows, among, numbers_of, some
from scanner.policy.columns import Facts
from scanner.policy.conditions import Condition, Trail, gathered
from scanner.policy.model import Exemption, Policy, Rule
from scanner.policy.subject import Subject, subjects
from scanner.severity import Severity

_AT_ONCE: Final = 4_000
"""Keys: enough for columns to pay, few enough for their values to stay in the processor's cache."""


def judge(inventory: Inventory, policies: Sequence[Policy], now: datetime) -> Judgement:
    """Evaluate every rule on every key.

    Returns the findings - violated, excepted, undetermined, each worst first, then by rule, project
    and key - and the tallies of rules and exceptions.
    """
    exemptions = [exemption for policy in policies for exemption in policy.exemptions]
    holding = [(number, one) for number, one in enumerate(exemptions) if one.text.holds(now)]
    rules = sorted((rule for policy in policies for rule in policy.rules), key=_rule_order)
    dockets = [_Docket(rule, holding) for rule in rules]
    keys = _in_reading_order(subjects(inventory, now))
    for first in range(0, len(keys), _AT_ONCE):
        facts = Facts(keys[first : first + _AT_ONCE])
        for docket in dockets:
            docket.enter(facts)
    return Judgement(
        findings=tuple(_in_order(dockets)),
        rules=tuple(docket.tally(len(inventory.keys)) for docket in dockets),
        exceptions=_exception_tallies(exemptions, dockets, now),
    )


class _Docket:
    """One rule, the exceptions from it, and its findings."""

    def __init__(self, rule: Rule, exemptions: Sequence[tuple[int, Exemption]]) -> None:
        self.rule = rule
        self.outside = 0
        self.found: defaultdict[tuple[Outcome, Severity], list[Finding]] = defaultdict(list)
        self.covered = Counter[int]()
        """The number of findings that each exception covers, by its number among all."""
        self._exemptions = [(number, e) for number, e in exemptions if rule.text.id in e.text.rules]

    def enter(self, facts: Facts) -> None:
        """Add the findings of the keys that violate the rule, or may violate it."""
        answers = self.rule.decide(facts)
        self.outside += self.rule.applies(facts).false.bit_count()
        suspect = facts.every & ~answers.false
        if not suspect:
            return
        nobody = Answers(NO_ROWS, facts.every)
        excepted = some([nobody, *(e.when.decide(facts) for _, e in self._exemptions)])
        violated = answers.true & excepted.false
        outcomes = {
            Outcome.VIOLATED: violated,
            Outcome.EXCEPTED: suspect & excepted.true,
            Outcome.UNDETERMINED: suspect & ~(violated | excepted.true),
        }
        for outcome, rows in outcomes.items():
            for severity, these, raises in self._by_severity(facts, rows):
                if these:
                    found = self.found[outcome, severity]
                    found += self._findings(facts, these, severity, outcome, raises)

    def tally(self, keys: int) -> RuleTally:
        """Count the findings; `keys` is the number of keys in the inventory."""
        counts: Counter[Outcome] = Counter()
        for (outcome, _), findings in self.found.items():
            counts[outcome] += len(findings)
        return RuleTally(
            rule=self.rule.text,
            applied=keys - self.outside,
            violated=counts[Outcome.VIOLATED],
            excepted=counts[Outcome.EXCEPTED],
            undetermined=counts[Outcome.UNDETERMINED],
            for_live_keys=self.rule.is_for_live_keys,
        )

    def _by_severity(
        self, facts: Facts, rows: Rows
    ) -> Iterator[tuple[Severity, Rows, Condition | None]]:
        """Yield each severity with its rows, and the condition that raised it, None: the rule's.

        The first step whose condition is true applies. An unknown condition raises no severity.
        """
        for step in self.rule.steps:
            raised = rows & step.when.decide(facts).true
            yield step.severity, raised, step.when
            rows &= ~raised
        yield self.rule.text.severity, rows, None

    def _findings(
        self,
        facts: Facts,
        rows: Rows,
        severity: Severity,
        outcome: Outcome,
        raises: Condition | None,
    ) -> list[Finding]:
        numbers = numbers_of(rows, len(facts))
        evidence = self._evidence(facts, numbers, outcome)
        if raises is not None:
            pairs = zip(evidence, raises.evidence(facts, numbers), strict=True)
            evidence = [tuple(dict.fromkeys((*decided, *why))) for decided, why in pairs]
        chosen = [facts.subjects[number] for number in numbers]
        return list(
            map(
                Finding,
                repeat(self.rule.text),
                repeat(severity),
                repeat(outcome),
                map(attrgetter("key"), chosen),
                map(attrgetter("project"), chosen),
                map(attrgetter("owner_state"), chosen),
                map(attrgetter("owner_email"), chosen),
                evidence,
                self._exceptions(facts, numbers, outcome),
            )
        )

    def _evidence(self, facts: Facts, numbers: Sequence[int], outcome: Outcome) -> list[Trail]:
        """Return the facts that decided, and the unknown ones that left the outcome open."""
        if outcome is Outcome.VIOLATED and not self._exemptions:
            return self.rule.violated_when.evidence(facts, numbers)
        conditions = [
            self.rule.violated_when,
            *(exemption.when for _, exemption in self._exemptions),
        ]
        if self.rule.applies_to:
            conditions.insert(0, self.rule.applies_to)
        left_open = [(part, part.decide(facts).unknown(facts.every)) for part in conditions]
        decided = (self.rule.violated_when, self.rule.decide(facts).true)
        return gathered(facts, numbers, (decided, *left_open))

    def _exceptions(
        self, facts: Facts, numbers: Sequence[int], outcome: Outcome
    ) -> Iterable[ExceptionText | None]:
        """Return the exception of each excepted key, of several the last; count them for all."""
        if outcome is not Outcome.EXCEPTED:
            return repeat(None)
        why: dict[int, ExceptionText | None] = dict.fromkeys(numbers)
        for number, exemption in self._exemptions:
            held = among(numbers, exemption.when.decide(facts).true, len(facts))
            self.covered[number] += len(held)
            why.update(dict.fromkeys(held, exemption.text))
        return why.values()


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
    covered = sum((docket.covered for docket in dockets), Counter[int]())
    return tuple(
        ExceptionTally(exception=e.text, active=e.text.holds(now), excepted=covered[number])
        for number, e in enumerate(exemptions)
    )


def _rule_order(rule: Rule) -> tuple[int, str]:
    return rule.text.severity.rank, rule.text.id


def _in_reading_order(keys: Iterable[Subject]) -> list[Subject]:
    """Sort by the project's name, then by id."""
    of_project: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in keys:
        of_project[(subject.project.name or "") if subject.project else ""].append(subject)
    by_id = attrgetter("key.id")
    return [one for name in sorted(of_project) for one in sorted(of_project[name], key=by_id)]
