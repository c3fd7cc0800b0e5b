"""States of findings from scan to scan: by example, and over random sequences of scans."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.collection import Collection
from scanner.compare import between, compare
from scanner.finding import Judgement, Outcome
from scanner.inventory import (
    CoverageState,
    Inventory,
    Key,
    KeyKind,
    ProjectAccess,
    Unknown,
    is_complete,
)
from scanner.judge import judge
from scanner.lifecycle import Case, Event, Night, Resolution, Standing, State
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.severity import Severity
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_listing,
    a_project,
    a_user,
    ago,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)
from tests.store.making import night as a_night
from tests.support.examples import examples

HEAD = "policy: mine\nrules:"
RULE = """
  - id: {id}
    title: T
    severity: {severity}
    violated_when: {when}
    why: W
    fix: F
"""
AGE = RULE.format(id="old", severity="high", when="{ age: { over: 90d } }")
STRICTER = RULE.format(id="old", severity="high", when="{ age: { over: 30d } }")
WORSE = RULE.format(id="old", severity="critical", when="{ age: { over: 90d } }")
LIVE = RULE.format(
    id="old",
    severity="high",
    when="{ all: [{ age: { over: 90d } }, { expires_in: { over: 0d } }] }",
)
OWNER = RULE.format(id="left", severity="critical", when="{ owner.state: left_org }")
UNUSED = RULE.format(id="unused", severity="low", when="{ used: false }")
EXCEPTED = """
exceptions:
  - rule: old
    when: { key.id: key_1 }
    reason: R
    owner: me@example.com
    expires: 2030-01-01
"""


def policy(*parts: str) -> Policy:
    return parse_policy(HEAD + "".join(parts), "mine.yaml")


@dataclass
class Memory:
    """What a store keeps, without a database."""

    cases: dict[str, Case] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)

    def night(
        self, inventory: Inventory, policies: Sequence[Policy], now: datetime
    ) -> tuple[Judgement, tuple[Standing, ...]]:
        judgement = judge(inventory, policies, now)
        rules = [rule for policy in policies for rule in policy.rules]
        standings = compare(self.cases.values(), inventory, judgement, rules, self.nights, now)
        self.nights.append(
            a_night(
                now,
                complete=is_complete(inventory.coverage),
                rules={rule.text.id: rule.definition for rule in rules},
            )
        )
        for standing in standings:
            state, case = standing.state, standing.case
            if state not in (State.UNVERIFIED, State.NOT_EVALUATED):
                self.cases[case.fingerprint] = case
            if standing.is_event:
                event = Event(case.fingerprint, now, "scan", state, case.severity, case.resolution)
                self.events.append(event)
        return judgement, standings


OLD = a_key(created_at=ago(days=100))
LATER = NOW + timedelta(days=1)


def after(first: Inventory, second: Inventory, before: Policy, later: Policy) -> Standing:
    """Return the only finding record after two scans."""
    memory = Memory()
    memory.night(first, [before], NOW)
    _, standings = memory.night(second, [later], LATER)
    (standing,) = standings
    return standing


def without_keys(**changes: Any) -> Inventory:
    return an_inventory(keys=(), **changes)


@pytest.mark.parametrize(
    ("second", "how"),
    [
        (without_keys(), Resolution.KEY_DELETED),
        (without_keys(projects=()), Resolution.KEY_DELETED),
        (
            an_inventory(keys=(a_key(id="key_2", created_at=NOW + timedelta(hours=1)),)),
            Resolution.KEY_ROTATED,
        ),
        (an_inventory(keys=(a_key(id="key_2", created_at=ago(days=1)),)), Resolution.KEY_DELETED),
        (
            an_inventory(
                keys=(
                    a_key(
                        id="key_2",
                        created_at=NOW + timedelta(hours=1),
                        owner=an_owner(id="user-2"),
                    ),
                )
            ),
            Resolution.KEY_DELETED,
        ),
        (an_inventory(keys=(a_key(created_at=ago(days=80)),)), Resolution.FIXED),
    ],
)
def test_a_finding_is_resolved_by_what_was_seen(second: Inventory, how: Resolution) -> None:
    state, case, *_ = after(an_inventory(keys=(OLD,)), second, policy(AGE), policy(AGE))
    assert (state, case.resolution, case.resolved_at) == (State.RESOLVED, how, LATER)
    assert (case.first_seen, case.last_seen) == (NOW, NOW)


@pytest.mark.parametrize("state", [CoverageState.PARTIAL, CoverageState.UNAVAILABLE])
@pytest.mark.parametrize("missing", [Collection.PROJECT_KEYS, Collection.PROJECTS])
def test_a_key_that_was_not_looked_for_is_carried_over(
    state: CoverageState, missing: Collection
) -> None:
    project_id = "proj_1" if missing is Collection.PROJECT_KEYS else None
    projects = (a_project(),) if project_id else ()
    coverage = [
        row
        for row in full_coverage("proj_1")
        if (row.collection, row.project_id) != (missing, project_id)
    ]
    gap = a_gap(missing, project_id=project_id, state=state)
    second = without_keys(projects=projects, coverage=(*coverage, gap))
    before = an_inventory(keys=(OLD,))
    standing = after(before, second, policy(AGE), policy(AGE))
    assert standing.state is State.UNVERIFIED
    assert standing.case.resolved_at is None
    assert standing.case.last_seen == NOW
    assert f"{missing.value} could not be listed" in standing.reason


@pytest.mark.parametrize("state", [CoverageState.UNAVAILABLE, CoverageState.PARTIAL])
def test_a_listed_project_whose_keys_are_not_listed_leaves_its_findings_open(
    state: CoverageState,
) -> None:
    row = a_gap(Collection.PROJECT_KEYS, project_id="proj_1", state=state, reason="404")
    coverage = [r for r in full_coverage("proj_1") if r.collection is not Collection.PROJECT_KEYS]
    second = without_keys(coverage=(*coverage, row))
    standing = after(an_inventory(keys=(OLD,)), second, policy(AGE), policy(AGE))
    assert standing.state is State.UNVERIFIED


def test_an_admin_key_is_looked_for_among_the_admin_keys() -> None:
    before = an_inventory(keys=(an_admin_key(created_at=ago(days=100)),))
    gap = a_gap(Collection.ADMIN_KEYS)
    coverage = [r for r in full_coverage("proj_1") if r.collection is not Collection.ADMIN_KEYS]
    unseen = without_keys(coverage=(*coverage, gap))
    assert after(before, unseen, policy(AGE), policy(AGE)).state is State.UNVERIFIED
    seen = after(before, without_keys(), policy(AGE), policy(AGE))
    assert seen.case.resolution is Resolution.KEY_DELETED


def test_an_exception_resolves_a_finding_and_is_not_a_remedy() -> None:
    before = an_inventory(keys=(OLD,))
    standing = after(before, before, policy(AGE), policy(AGE, EXCEPTED))
    assert (standing.state, standing.case.resolution) == (State.RESOLVED, Resolution.EXCEPTED)
    assert not Resolution.EXCEPTED.is_remedy


def test_a_rule_that_asks_for_less_resolves_by_the_policy_not_by_a_remedy() -> None:
    before = an_inventory(keys=(a_key(created_at=ago(days=40)),))
    standing = after(before, before, policy(STRICTER), policy(AGE))
    assert standing.case.resolution is Resolution.POLICY_CHANGED


def left(**changes: Any) -> Inventory:
    """A key whose owner has left; `changes` bring something back."""
    key = a_key(project_access=ProjectAccess.INACTIVE)
    return an_inventory(**{"keys": (key,), "users": (a_user(id="user-2"),), **changes})


def test_an_owner_who_is_back_resolves_what_rested_on_the_owner() -> None:
    back = after(left(), an_inventory(), policy(OWNER), policy(OWNER))
    assert back.case.resolution is Resolution.OWNER_RESTORED
    halfway = after(left(), left(users=(a_user(),)), policy(OWNER), policy(OWNER))
    assert halfway.case.resolution is Resolution.FIXED


def test_a_key_that_only_another_listing_shows_leaves_its_finding_open() -> None:
    """The admin listing has the key, and its project's listing failed: its access is not known."""
    coverage = [r for r in full_coverage("proj_1") if r.collection is not Collection.PROJECT_KEYS]
    gap = a_gap(Collection.PROJECT_KEYS, project_id="proj_1")
    elsewhere = a_key(project_id=None, project_access=None, kind=Unknown(reason="either"))
    denied = an_inventory(keys=(elsewhere,), coverage=(*coverage, gap))
    lost = RULE.format(id="lost", severity="high", when="{ owner.state: no_project_access }")
    inactive = an_inventory(keys=(a_key(project_access=ProjectAccess.INACTIVE),))
    standing = after(inactive, denied, policy(lost), policy(lost))
    assert (standing.state, standing.case.project_id) == (State.UNVERIFIED, "proj_1")
    excepted = policy(AGE, EXCEPTED)
    old = an_inventory(keys=(OLD,))
    assert after(old, denied, policy(AGE), excepted).state is State.UNVERIFIED
    old_elsewhere = an_inventory(
        keys=(replace(elsewhere, created_at=ago(days=100)),), coverage=(*coverage, gap)
    )
    still = after(old, old_elsewhere, policy(AGE), policy(AGE))
    assert (still.state, still.case.project_id) == (State.UNCHANGED, "proj_1")


def test_an_admin_key_that_only_a_project_lists_leaves_its_finding_open() -> None:
    admin = an_admin_key(created_at=ago(days=100))
    coverage = [r for r in full_coverage("proj_1") if r.collection is not Collection.ADMIN_KEYS]
    moved = a_key(id=admin.id, created_at=ago(days=1))
    second = an_inventory(keys=(moved,), coverage=(*coverage, a_gap(Collection.ADMIN_KEYS)))
    standing = after(an_inventory(keys=(admin,)), second, policy(AGE), policy(AGE))
    assert standing.state is State.UNVERIFIED


def test_a_key_with_another_owner_is_not_one_whose_owner_is_restored() -> None:
    users = (a_user(id="user-2"),)
    second = an_inventory(keys=(a_key(owner=an_owner(id="user-2")),), users=users)
    standing = after(left(), second, policy(OWNER), policy(OWNER))
    assert standing.case.resolution is Resolution.FIXED


@pytest.mark.parametrize("later", [policy(LIVE), policy(LIVE.replace("90d", "120d"))])
def test_a_finding_of_a_key_that_expired_ends_so(later: Policy) -> None:
    def of(expires_at: datetime) -> Inventory:
        return an_inventory(keys=(replace(OLD, expires_at=expires_at),))

    before = of(NOW + timedelta(days=30))
    ended = after(before, of(LATER - timedelta(hours=1)), policy(LIVE), later)
    assert (ended.state, ended.case.resolution) == (State.RESOLVED, Resolution.KEY_EXPIRED)
    assert Resolution.KEY_EXPIRED.is_remedy
    assert Resolution.KEY_DISABLED.is_remedy
    soon = after(before, of(LATER + timedelta(hours=1)), policy(LIVE), policy(LIVE))
    assert soon.state is State.UNCHANGED


def test_a_key_that_a_date_in_the_future_claims_is_younger_did_not_take_over() -> None:
    """An impossible date is not evidence of a rotation."""
    younger = a_key(id="key_2", created_at=NOW + timedelta(days=400))
    standing = after(
        an_inventory(keys=(OLD,)), an_inventory(keys=(younger,)), policy(AGE), policy(AGE)
    )
    assert standing.case.resolution is Resolution.KEY_DELETED


def test_an_owner_nobody_could_look_up_leaves_the_finding_open() -> None:
    coverage = [r for r in full_coverage("proj_1") if r.collection is not Collection.USERS]
    unseen = left(users=(), coverage=(*coverage, a_gap(Collection.USERS)))
    standing = after(left(), unseen, policy(OWNER), policy(OWNER))
    assert standing.state is State.UNVERIFIED
    assert standing.reason.startswith("users could not be listed")


@pytest.mark.parametrize(
    ("before", "later", "state"),
    [(AGE, WORSE, State.ESCALATED), (WORSE, AGE, State.DEESCALATED), (AGE, AGE, State.UNCHANGED)],
)
def test_a_severity_that_changes_is_told(before: str, later: str, state: State) -> None:
    inventory = an_inventory(keys=(OLD,))
    standing = after(inventory, inventory, policy(before), policy(later))
    assert standing.state is state
    assert (standing.before is None) == (state is State.UNCHANGED)
    assert (standing.case.first_seen, standing.case.last_seen) == (NOW, LATER)


def test_what_comes_back_is_reopened_and_keeps_its_first_night() -> None:
    memory, mine = Memory(), [policy(AGE)]
    violating, mended = an_inventory(keys=(OLD,)), an_inventory()
    days = [NOW + timedelta(days=n) for n in range(5)]
    states = [
        standing.state
        for day, seen in zip(days, (violating, mended, mended, violating, violating), strict=True)
        for standing in memory.night(seen, mine, day)[1]
    ]
    assert states == [State.NEW, State.RESOLVED, State.REOPENED, State.UNCHANGED]
    (case,) = memory.cases.values()
    assert (case.first_seen, case.opened_at, case.last_seen) == (days[0], days[3], days[4])
    assert (case.openings, case.resolved_at, case.resolution) == (2, None, None)


@pytest.mark.parametrize(
    ("clock_ahead", "found"),
    [(timedelta(), NOW), (timedelta(days=-30), LATER), (None, LATER)],
)
def test_a_finding_dated_in_the_future_is_found_now_under_a_verified_clock(
    clock_ahead: timedelta | None, found: datetime
) -> None:
    """Else no notice would be later than the finding, until that date."""
    memory, mine = Memory(), [policy(AGE)]
    memory.night(an_inventory(keys=(OLD,)), mine, LATER)
    memory.night(an_inventory(keys=(OLD,), clock_ahead=clock_ahead), mine, NOW)
    (case,) = memory.cases.values()
    assert (case.first_seen, case.opened_at, case.openings) == (found, found, 1)


def test_between_two_scans_only_what_is_otherwise_is_told() -> None:
    def event(fingerprint: str, day: int, state: State, severity: Severity) -> Event:
        return Event(fingerprint, NOW + timedelta(days=day), f"scan-{day}", state, severity)

    high, critical = Severity.HIGH, Severity.CRITICAL
    events = [
        event("opened", 3, State.NEW, high),
        event("worse", 1, State.NEW, high),
        event("worse", 3, State.ESCALATED, critical),
        event("gone", 1, State.NEW, high),
        event("gone", 3, State.RESOLVED, high),
        event("back", 1, State.NEW, high),
        event("back", 2, State.RESOLVED, high),
        event("back", 4, State.REOPENED, high),
        event("flicker", 1, State.NEW, high),
        event("flicker", 3, State.RESOLVED, high),
        event("flicker", 4, State.REOPENED, high),
        event("brief", 3, State.NEW, high),
        event("brief", 4, State.RESOLVED, high),
    ]
    events.sort(key=lambda e: e.at)
    turns = {t.fingerprint: (t.before, t.after) for t in between(events, NOW + timedelta(days=2))}
    assert turns == {
        "opened": (None, high),
        "worse": (high, critical),
        "gone": (high, None),
        "back": (None, high),
    }


# Random scans: keys come and go, listings fail, the policy is edited.

POLICIES = tuple(
    policy(*parts)
    for parts in (
        (AGE, OWNER, UNUSED),
        (STRICTER, OWNER, UNUSED),
        (WORSE, OWNER),
        (AGE, UNUSED, EXCEPTED),
        (OWNER,),
    )
)
EXAMPLES = examples(150)
KEYS = st.sets(st.integers(0, 5), max_size=6)
NIGHTS = st.lists(
    st.fixed_dictionaries(
        {
            "there": KEYS,
            "young": KEYS,
            "used": KEYS,
            "members": st.sets(st.integers(0, 1), max_size=2),
            "gaps": st.sets(st.sampled_from(["projects", "users", "admin", "proj_0", "proj_1"])),
            "project_1": st.booleans(),
            "policy": st.sampled_from(POLICIES),
        }
    ),
    min_size=2,
    max_size=8,
)


def world(night: dict[str, Any], now: datetime) -> tuple[set[str], Inventory]:
    """Return the ids of all keys that exist, and the inventory collected with these gaps."""
    gaps = night["gaps"]
    keys: list[Key] = []
    for n in night["there"]:
        project = f"proj_{n % 2}"
        if n != 5 and project == "proj_1" and not night["project_1"]:
            continue
        owner = f"user-{n % 2}"
        is_member = n % 2 in night["members"]
        key = a_key(
            id=f"key_{n}",
            project_id=None if n == 5 else project,
            kind=KeyKind.ADMIN if n == 5 else KeyKind.PROJECT,
            project_access=None
            if n == 5
            else ProjectAccess.ACTIVE
            if is_member
            else ProjectAccess.INACTIVE,
            owner=an_owner(id=owner),
            created_at=now - timedelta(days=10 if n in night["young"] else 100),
            last_used_at=now if n in night["used"] else None,
        )
        keys.append(key)
    ids = {key.id for key in keys}
    projects = ["proj_0", *(["proj_1"] if night["project_1"] else [])]
    listed = [] if "projects" in gaps else projects
    seen = [
        key
        for key in keys
        if ("admin" not in gaps if key.project_id is None else key.project_id in listed)
        and key.project_id not in gaps
    ]
    of = {
        "projects": Collection.PROJECTS,
        "users": Collection.USERS,
        "admin": Collection.ADMIN_KEYS,
    }
    coverage = [a_gap(c) if name in gaps else a_listing(c) for name, c in of.items()]
    for project in listed:
        kind = a_gap if project in gaps else a_listing
        coverage.append(kind(Collection.PROJECT_KEYS, project_id=project))
        coverage.append(a_listing(Collection.SERVICE_ACCOUNTS, project_id=project))
    users = () if "users" in gaps else tuple(a_user(id=f"user-{n}") for n in night["members"])
    return ids, an_inventory(
        projects=tuple(a_project(id=project) for project in listed),
        keys=tuple(seen),
        users=users,
        coverage=tuple(coverage),
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(NIGHTS)
def test_lifecycles_keep_their_promises_over_any_nights(nights: list[dict[str, Any]]) -> None:
    memory = Memory()
    for number, night in enumerate(nights):
        now = NOW + timedelta(days=number)
        existing, inventory = world(night, now)
        before = dict(memory.cases)
        judgement, standings = memory.night(inventory, [night["policy"]], now)
        held(
            before=before,
            memory=memory,
            existing=existing,
            inventory=inventory,
            judgement=judgement,
            standings=standings,
            mine=night["policy"],
            now=now,
        )


def held(  # noqa: PLR0913 - all parts of one scan
    *,
    before: dict[str, Case],
    memory: Memory,
    existing: set[str],
    inventory: Inventory,
    judgement: Judgement,
    standings: tuple[Standing, ...],
    mine: Policy,
    now: datetime,
) -> None:
    """Check one scan against the invariants."""
    by_id = {standing.case.fingerprint: standing for standing in standings}
    assert len(by_id) == len(standings)
    found = {f.fingerprint: f for f in judgement.findings}
    violated = {p for p, f in found.items() if f.outcome is Outcome.VIOLATED}
    was_open = {p for p, case in before.items() if case.resolved_at is None}
    assert set(by_id) == violated | was_open
    rules = {rule.text.id for rule in mine.rules}
    earlier = (memory.nights[-2].rules or {}) if memory.nights[1:] else {}
    for fingerprint, (state, case, _, reason, by_policy) in by_id.items():
        past = before.get(fingerprint)
        assert case.first_seen == (past.first_seen if past else now)
        assert case.opened_at >= case.first_seen
        if fingerprint in violated:
            assert state not in (State.UNVERIFIED, State.NOT_EVALUATED, State.RESOLVED)
            assert (state is State.NEW) == (past is None)
            opens = state in (State.NEW, State.REOPENED)
            assert opens == (case.opened_at == now)
            assert case.openings == (past.openings if past else 0) + opens
            assert case.last_seen == now
            if past and past.resolved_at and not opens:
                assert past.resolution is Resolution.POLICY_CHANGED
                assert earlier.get(case.rule) != case.definition or any(
                    not night.complete for night in memory.nights
                )
            continue
        assert past is not None
        if state is State.RESOLVED:
            assert by_policy == (case.resolution is Resolution.POLICY_CHANGED)
            evident(case, existing, inventory, found.get(fingerprint), mine)
            if case.rule not in rules:
                assert case.rule not in earlier
        else:
            assert case == past
            assert (state is State.NOT_EVALUATED) == (case.rule not in rules)
            assert reason or state is State.NOT_EVALUATED
    replayed = {t.fingerprint for t in between(memory.events, NOW - timedelta(days=1))}
    assert replayed == {p for p, case in memory.cases.items() if case.resolved_at is None}


def evident(
    case: Case, existing: set[str], inventory: Inventory, finding: Any, mine: Policy
) -> None:
    """Check a resolution against the true keys: missing data resolves no finding."""
    rules = {rule.text.id: rule for rule in mine.rules}
    seen = {key.id for key in inventory.keys}
    match case.resolution:
        case Resolution.KEY_DELETED | Resolution.KEY_ROTATED:
            assert case.key_id not in existing
        case Resolution.FIXED | Resolution.OWNER_RESTORED:
            assert case.key_id in seen
            assert finding is None
            assert rules[case.rule].definition == case.definition
        case Resolution.EXCEPTED:
            assert finding.outcome is Outcome.EXCEPTED
        case _:
            changed = case.rule not in rules or rules[case.rule].definition != case.definition
            assert changed
