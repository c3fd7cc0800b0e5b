"""The comparison: earlier finding records x this scan's evaluation -> their new states. Pure.

A record is resolved only by evidence that this scan collected, and its resolution names that
evidence. A changed policy is not evidence of a fix: its resolution is POLICY_CHANGED.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.evidence import Evidence
from scanner.finding import Finding, Judgement, Outcome
from scanner.inventory import Inventory, Unknown
from scanner.lifecycle import Case, Event, Night, Resolution, Standing, State, Turn
from scanner.plausible import clock_problem
from scanner.policy.model import Rule
from scanner.severity import Severity


def compare(  # noqa: PLR0913, PLR0917 - all that a comparison rests on
    cases: Iterable[Case],
    inventory: Inventory,
    judgement: Judgement,
    rules: Iterable[Rule],
    nights: Sequence[Night],
    now: datetime,
) -> tuple[Standing, ...]:
    """Return the state of every open finding record and every new violation, worst first.

    `cases` are all open records, and the closed ones that this scan may reopen. `rules` are those
    of this scan; `nights` are the latest recorded scans, oldest first.
    """
    known = {case.fingerprint: case for case in cases}
    tested = {rule.text.id: _Tested(rule.definition, rule.grading) for rule in rules}
    is_clock_verified = not clock_problem(inventory.clock_ahead)
    evidence = Evidence(inventory, now)
    comparison = _Comparison(evidence, tested, nights, now, is_clock_verified=is_clock_verified)
    found = [
        comparison.found(finding, known.pop(finding.fingerprint, None))
        for finding in judgement.findings
    ]
    open_still = (case for case in known.values() if case.resolved_at is None)
    standings = [*filter(None, found), *map(comparison.not_found, open_still)]
    return tuple(sorted(standings, key=_worst_first))


def between(events: Iterable[Event], moment: datetime) -> tuple[Turn, ...]:
    """Return the finding records that differ after all `events`, in order, from `moment`."""
    before: dict[str, Severity] = {}
    after: dict[str, Event] = {}
    for event in events:
        after[event.fingerprint] = event
        if event.at > moment:
            continue
        if event.state is State.RESOLVED:
            before.pop(event.fingerprint, None)
        else:
            before[event.fingerprint] = event.severity
    turns = (
        Turn(
            fingerprint=fingerprint,
            before=before.get(fingerprint),
            after=None if last.state is State.RESOLVED else last.severity,
            resolution=last.resolution,
        )
        for fingerprint, last in after.items()
    )
    return tuple(turn for turn in turns if turn.before != turn.after)


def as_of(cases: Iterable[Case], events: Iterable[Event], moment: datetime) -> tuple[Case, ...]:
    """Return the finding records after the scan of `moment`, from the events until then, in order.

    Keys and rules are described as last seen, even if that was later; `last_seen` is at most
    `moment`.
    """
    happened: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        happened[event.fingerprint].append(event)
    return tuple(
        _turned_back(case, happened[case.fingerprint], moment)
        for case in cases
        if case.fingerprint in happened
    )


def _turned_back(case: Case, events: list[Event], moment: datetime) -> Case:
    last = events[-1]
    opened = [event.at for event in events if event.state in (State.NEW, State.REOPENED)]
    is_closed = last.state is State.RESOLVED
    return case._replace(
        severity=last.severity,
        last_seen=min(case.last_seen, moment),
        opened_at=opened[-1] if opened else case.opened_at,
        openings=max(len(opened), 1),
        resolved_at=last.at if is_closed else None,
        resolution=last.resolution if is_closed else None,
    )


class _Tested(NamedTuple):
    """A rule's condition in this scan, and the definition of its severity."""

    definition: str
    grading: str


class _Comparison:
    """One scan compared with the earlier ones."""

    def __init__(
        self,
        evidence: Evidence,
        rules: Mapping[str, _Tested],
        nights: Sequence[Night],
        now: datetime,
        *,
        is_clock_verified: bool,
    ) -> None:
        self._evidence, self._rules, self._nights, self._now = evidence, rules, nights, now
        self._rules_before = nights[-1].rules if nights else None
        self._is_clock_verified = is_clock_verified

    def found(self, finding: Finding, case: Case | None) -> Standing | None:
        """Return the record of a finding of this scan; None: not violated, now or before."""
        if finding.outcome is Outcome.VIOLATED:
            return self._violated(finding, case)
        if case is None or case.resolved_at is not None:
            return None
        if finding.outcome is Outcome.UNDETERMINED:
            return Standing(State.UNVERIFIED, case, reason=finding.reason)
        unverified = self._evidence.why_unverified(case)
        if unverified:
            return Standing(State.UNVERIFIED, case, reason=unverified)
        return self._resolved(case, Resolution.EXCEPTED)

    def not_found(self, case: Case) -> Standing:
        """Return the state of an open record for which this scan has no finding."""
        rule = self._rules.get(case.rule)
        if rule is None:
            if self._rules_before is not None and case.rule not in self._rules_before:
                return self._resolved(case, Resolution.POLICY_CHANGED)
            return Standing(State.NOT_EVALUATED, case)
        unverified = self._evidence.why_unverified(case)
        if unverified:
            return Standing(State.UNVERIFIED, case, reason=unverified)
        return self._resolved(case, self._evidence.resolution(case, rule.definition))

    def _resolved(self, case: Case, how: Resolution) -> Standing:
        ended = case._replace(resolved_at=self._now, resolution=how)
        return Standing(State.RESOLVED, ended, by_policy=how is Resolution.POLICY_CHANGED)

    def _violated(self, finding: Finding, case: Case | None) -> Standing:
        rule = self._rules[finding.rule.id]
        seen = _case(finding, rule, self._now)
        if case is None:
            return Standing(State.NEW, seen)
        if self._is_clock_verified:
            case = _not_in_the_future(case, self._now)
        if self._evidence.why_unverified(case):  # found in another listing: its project is unknown
            seen = seen._replace(project_id=case.project_id, project_name=case.project_name)
        is_back = case.resolved_at is not None
        if is_back and not self._goes_on(case, rule):
            again = seen._replace(first_seen=case.first_seen, openings=case.openings + 1)
            return Standing(State.REOPENED, again)
        still = seen._replace(
            first_seen=case.first_seen, opened_at=case.opened_at, openings=case.openings
        )
        if seen.severity is case.severity:
            return Standing(State.UNCHANGED, still, by_policy=is_back)
        is_worse = seen.severity.rank < case.severity.rank
        state = State.ESCALATED if is_worse else State.DEESCALATED
        is_regraded = case.grading != rule.grading
        if not case.grading:  # an old record without grading: the policy may explain a lowering
            is_regraded = not is_worse
        return Standing(state, still, before=case.severity, by_policy=is_regraded)

    def _goes_on(self, case: Case, rule: _Tested) -> bool:
        """Whether a changed policy resolved the record, and another change brought it back.

        False if a scan since then evaluated the current rule without finding the violation.
        """
        ended = case.resolved_at
        return case.resolution is Resolution.POLICY_CHANGED and not any(
            (night.rules or {}).get(case.rule) == rule.definition
            for night in self._nights
            if ended is not None
            and (night.started_at == ended or (night.started_at > ended and night.complete))
        )


def _case(finding: Finding, rule: _Tested, now: datetime) -> Case:
    key, project = finding.key, finding.project
    return Case(
        fingerprint=finding.fingerprint,
        rule=finding.rule.id,
        policy=finding.rule.policy,
        title=finding.rule.defect,
        severity=finding.severity,
        definition=rule.definition,
        facts=tuple(dict.fromkeys(row.fact for row in finding.evidence)),
        key_id=key.id,
        key_name=key.name,
        redacted_value=key.redacted_value,
        project_id=key.project_id,
        project_name=project.name if project else None,
        owner_id=None if isinstance(key.owner.id, Unknown) else key.owner.id,
        owner_name=key.owner.name,
        owner_email=finding.owner_email,
        first_seen=now,
        opened_at=now,
        last_seen=now,
        grading=rule.grading,
    )


def _not_in_the_future(case: Case, now: datetime) -> Case:
    """Return the record with no date after now: a clock that was ahead may have set later ones."""
    first_seen, opened_at = min(case.first_seen, now), min(case.opened_at, now)
    return case._replace(first_seen=first_seen, opened_at=opened_at)


def _worst_first(standing: Standing) -> tuple[int, str, str, str]:
    case = standing.case
    return case.severity.rank, case.rule, case.project_name or "", case.key_id
