"""The comparison: the cases of the nights before x tonight's judgement -> where each stands. Pure.

Nothing is resolved for want of seeing it: that takes evidence, and how it was resolved says which.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property

from scanner.collection import Collection
from scanner.finding import Finding, Judgement, Outcome, OwnerState
from scanner.inventory import CoverageState, Inventory, Unknown
from scanner.lifecycle import Case, Event, Resolution, Standing, State, Turn
from scanner.policy.subject import subjects
from scanner.severity import Severity

_OWNER_STATE = "owner.state"


def compare(
    cases: Iterable[Case],
    inventory: Inventory,
    judgement: Judgement,
    definitions: Mapping[str, str],
    now: datetime,
) -> tuple[Standing, ...]:
    """Tell where every open case and every violation of tonight stands, worst first.

    `cases`: all that are open, and closed ones that may be found again. `definitions`: what each
    rule of tonight tests, by its id.
    """
    known = {case.fingerprint: case for case in cases}
    eyes = _Eyes(inventory, definitions, now)
    standings = list(_found(known, judgement.findings, definitions, now))
    standings += [
        eyes.stands(case) for case in known.values() if case.resolved_at is None
    ]  # what was found tonight is no longer among them
    return tuple(sorted(standings, key=_worst_first))


def between(events: Iterable[Event], moment: datetime) -> tuple[Turn, ...]:
    """Tell what is otherwise after all `events`, which stand in order, than at `moment`."""
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
    """Return the cases as they stood after the scan of `moment`, by the events until then in order.

    What they tell of their keys is the latest that is known; so is when they were last seen, if
    that was before.
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


def _found(
    known: dict[str, Case],
    findings: Iterable[Finding],
    definitions: Mapping[str, str],
    now: datetime,
) -> Iterator[Standing]:
    """Yield where tonight's findings stand, and take their cases out of `known`."""
    for finding in findings:
        case = known.pop(finding.fingerprint, None)
        if finding.outcome is Outcome.VIOLATED:
            yield _violated(finding, case, definitions[finding.rule.id], now)
        elif case is None or case.resolved_at is not None:
            continue
        elif finding.outcome is Outcome.EXCEPTED:
            yield _resolved(case, Resolution.EXCEPTED, now)
        else:
            yield Standing(State.UNVERIFIED, case, reason=finding.reason)


def _violated(finding: Finding, case: Case | None, definition: str, now: datetime) -> Standing:
    seen = _case(finding, definition, now)
    if case is None:
        return Standing(State.NEW, seen)
    if case.resolved_at is not None:
        again = seen._replace(first_seen=case.first_seen, openings=case.openings + 1)
        return Standing(State.REOPENED, again)
    still = seen._replace(
        first_seen=case.first_seen, opened_at=case.opened_at, openings=case.openings
    )
    if seen.severity is case.severity:
        return Standing(State.PERSISTING, still)
    is_worse = seen.severity.rank < case.severity.rank
    return Standing(State.ESCALATED if is_worse else State.LOWERED, still, before=case.severity)


def _case(finding: Finding, definition: str, now: datetime) -> Case:
    key, project = finding.key, finding.project
    return Case(
        fingerprint=finding.fingerprint,
        rule=finding.rule.id,
        policy=finding.rule.policy,
        title=finding.rule.title,
        severity=finding.severity,
        definition=definition,
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
    )


def _resolved(case: Case, how: Resolution, now: datetime) -> Standing:
    return Standing(State.RESOLVED, case._replace(resolved_at=now, resolution=how))


class _Eyes:
    """What tonight's walk can say of a case that was not found again."""

    def __init__(self, inventory: Inventory, definitions: Mapping[str, str], now: datetime) -> None:
        self._inventory, self._now = inventory, now
        self._definitions = definitions
        self._keys = {key.id: key for key in inventory.keys}
        self._projects = {project.id for project in inventory.projects}
        self._states = {(row.collection, row.project_id): row.state for row in inventory.coverage}
        self._newest: dict[tuple[str | None, str], datetime] = {}
        for key in inventory.keys:
            if isinstance(key.owner.id, str) and isinstance(key.created_at, datetime):
                place = key.project_id, key.owner.id
                newest = self._newest.get(place, key.created_at)
                self._newest[place] = max(newest, key.created_at)

    def stands(self, case: Case) -> Standing:
        """Say how it was resolved, or that tonight cannot tell."""
        if case.rule not in self._definitions:
            return _resolved(case, Resolution.POLICY_CHANGED, self._now)
        if case.key_id in self._keys:
            return _resolved(case, self._how_mended(case), self._now)
        unseen = self._why_unseen(case)
        if unseen:
            return Standing(State.UNVERIFIED, case, reason=unseen)
        return _resolved(case, self._how_gone(case), self._now)

    def _how_mended(self, case: Case) -> Resolution:
        if self._definitions[case.rule] != case.definition:
            return Resolution.POLICY_CHANGED
        was_for_owner = _OWNER_STATE in case.facts
        is_back = was_for_owner and self._owner_states[case.key_id] is OwnerState.ACTIVE
        return Resolution.OWNER_BACK if is_back else Resolution.MENDED

    @cached_property
    def _owner_states(self) -> dict[str, OwnerState | Unknown]:
        return {s.key.id: s.owner_state for s in subjects(self._inventory, self._now)}

    def _how_gone(self, case: Case) -> Resolution:
        """Tell whether a younger key of the same owner in the same place took over."""
        newest = self._newest.get((case.project_id, case.owner_id or ""))
        is_replaced = newest is not None and newest > case.first_seen
        return Resolution.KEY_ROTATED if is_replaced else Resolution.KEY_DELETED

    def _why_unseen(self, case: Case) -> str:
        """Return why the key may still be there though it was not listed, or ""."""
        if case.project_id is None:
            return self._why_partial(Collection.ADMIN_KEYS)
        if case.project_id not in self._projects:
            return self._why_partial(Collection.PROJECTS)
        return self._why_partial(Collection.PROJECT_KEYS, case.project_id)

    def _why_partial(self, collection: Collection, project_id: str | None = None) -> str:
        state = self._states.get((collection, project_id))
        if state is CoverageState.COMPLETE:
            return ""
        whose = "" if project_id is None else "the project's "
        return f"{whose}{collection.value} could not be listed"


def _worst_first(standing: Standing) -> tuple[int, str, str, str]:
    case = standing.case
    return case.severity.rank, case.rule, case.project_name or "", case.key_id
