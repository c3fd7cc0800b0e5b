"""What would be revoked: exactly what a rule asks for, and nothing that any guard objects to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.finding import Finding
from scanner.guards import Known
from scanner.inventory import (
    AuditEvent,
    AuditKind,
    Collection,
    Inventory,
    Key,
    KeyKind,
    KeyUse,
    Unknown,
)
from scanner.policy.model import Policy, Response
from scanner.policy.parse import parse_policy
from scanner.receipt import Act, Intent, Outcome, Result
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import Bounds, Method, Mode, Plan, Promise, Told
from scanner.scan import compared, scan
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    a_listing,
    a_project,
    ago,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)

RULE = """
  - id: {id}
    title: T
    severity: high
    violated_when: {when}
    respond: {{ revoke: {method}, after: {after} }}
    why: W
    fix: F
"""
OLD = "{ age: { over: 90d } }"
WIDE = Bounds(max_keys=1000, max_percent=100)
IDLE = ago(days=40)
TOLD = ago(days=19)
SEEN = (
    *full_coverage("proj_1", "proj_2"),
    *(a_listing(one) for one in (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)),
)


def a_policy(when: str = OLD, method: str = "expire", after: str = "14d", more: str = "") -> Policy:
    rule = RULE.format(id="old", when=when, method=method, after=after)
    return parse_policy(f"policy: mine\nrules:{rule}{more}", "p.yaml")


def old(**changes: Any) -> Key:
    return a_key(**{"created_at": ago(days=200), "last_used_at": IDLE, **changes})


def seen(*keys: Key, **changes: Any) -> Inventory:
    projects = (a_project(), a_project(id="proj_2", name="shop"))
    return an_inventory(**{"keys": keys, "projects": projects, "coverage": SEEN, **changes})


def scanned(inventory: Inventory, policies: Sequence[Policy]) -> ScanResult:
    """Return the second of two nights: the findings were found twenty days ago."""
    store = Remembered()
    result: ScanResult | None = None
    for moment in (ago(days=20), NOW):
        done = scan(lambda: inventory, policies, moment, lambda: NOW)
        result = compared(done, store, "Acme")
        assert result.history
        store.remember(result.history)
    assert result
    return result


def promised(
    finding: Finding, policies: Sequence[Policy], bounds: Bounds, told: datetime, heard: datetime
) -> Told:
    """Return what people were told, exactly as the rule has it."""
    rules = {rule.text.id: rule for policy in policies for rule in policy.rules}
    rule = rules[finding.rule.id]
    asked = rule.respond or Response(revoke=Method.DELETE, after=timedelta())
    promise = Promise(bounds.mode, asked.revoke, asked.after, bounds.expire_in, rule.definition)
    return Told(told, heard, promise)


def planned(
    inventory: Inventory,
    *policies: Policy,
    bounds: Bounds = WIDE,
    told: datetime | None = TOLD,
    heard: datetime | None = None,
    **known: Any,
) -> Plan:
    result = scanned(inventory, policies or [a_policy()])
    policies = policies or (a_policy(),)
    announced = {
        f.fingerprint: promised(f, policies, bounds, told, heard or max(told, ago(days=1)))
        for f in result.findings
        if told
    }
    scene = Scene(
        result=result,
        inventory=inventory,
        policies=policies,
        bounds=bounds,
        known=Known(announced=announced, **known),
    )
    return make_plan_of_revocation(scene)


def due(plan: Plan) -> list[tuple[str, Method]]:
    return [(action.key_id, action.method) for action in plan.due]


def reasons(plan: Plan) -> list[tuple[str, ...]]:
    return [held.reasons for held in plan.held]


def test_with_no_objection_exactly_what_violates_is_due_and_its_sibling_is_not() -> None:
    sibling = a_key(id="key_2", name="a key", last_used_at=IDLE)
    plan = planned(seen(old(), sibling))
    assert due(plan) == [("key_1", Method.EXPIRE)]
    assert (plan.waiting, plan.held, plan.refusal) == ((), (), "")
    (action,) = plan.due
    assert (action.announced_at, action.due_at) == (ago(days=19), ago(hours=4))
    assert action.evidence == "200 days old, limit 90 days"
    assert plan.expires_at - plan.made_at == timedelta(hours=24)


def test_a_rule_that_asks_for_nothing_revokes_nothing() -> None:
    quiet = parse_policy(
        "policy: mine\nrules:\n  - { id: old, title: T, severity: high, violated_when:"
        " { age: { over: 90d } }, why: W, fix: F }\n",
        "p.yaml",
    )
    plan = planned(seen(old()), quiet)
    assert (plan.due, plan.waiting, plan.held) == ((), (), ())


def test_the_clock_starts_when_people_were_told() -> None:
    assert due(planned(seen(old()), told=ago(days=14))) == [("key_1", Method.EXPIRE)]
    early = planned(seen(old()), told=ago(days=13, hours=23))
    assert [(a.key_id, a.due_at) for a in early.waiting] == [("key_1", NOW + timedelta(hours=1))]
    assert early.due == ()
    assert reasons(planned(seen(old()), told=None)) == [
        ("nobody was told yet that it will be revoked",)
    ]


def test_what_was_told_before_it_was_found_anew_does_not_count() -> None:
    assert reasons(planned(seen(old()), told=ago(days=21))) == [
        ("nobody was told yet that it will be revoked",)
    ]


UNTOLD = Unknown(reason="the API did not say")


UNTOLD_YET = "nobody was told yet that it will be revoked"


def allowed(key_id: str, *scopes: str) -> AuditEvent:
    """Return the event by which a key was made with these scopes; none: all."""
    return AuditEvent(
        kind=AuditKind.KEY_CREATED, subject_id=key_id, at=ago(days=200), actor=None, scopes=scopes
    )


def an_act(result: Result | None, **changes: Any) -> Act:
    intent = Intent(
        receipt="r1",
        organization="Acme",
        at=ago(days=3),
        by="cron",
        method=Method.EXPIRE,
        key_id="key_1",
        key_name="a key",
        redacted_value="",
        project_id="proj_1",
        project="chat",
        owner="Ada",
    )
    intent = replace(intent, **changes)
    if result is None:
        return Act(intent, None)
    ended = Outcome(receipt=intent.receipt, at=intent.at, result=result, note="no")
    return Act(intent, ended)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (old(last_used_at=ago(hours=23)), "it was used within 1d"),
        (old(last_used_at=UNTOLD), "its last use is unknown: the API did not say"),
        (old(last_used_at=NOW + timedelta(hours=2)), "its last use is unknown: "),
        (old(kind=UNTOLD), "it is, or may be, an admin key, and is not named in admin_keys"),
        (
            an_admin_key(created_at=ago(days=200), last_used_at=IDLE),
            "it is, or may be, an admin key, and is not named in admin_keys",
        ),
    ],
)
def test_each_doubt_about_the_key_lets_it_be(key: Key, reason: str) -> None:
    plan = planned(seen(key))
    assert plan.due == plan.waiting == ()
    ((first, *more),) = reasons(plan)
    assert first.startswith(reason)
    assert more == []


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"min_age": timedelta(days=201)}, "it is younger than 201d"),
        ({"recent_use": timedelta(days=41)}, "it was used within 41d"),
        ({"protected_keys": ("key_*",)}, "it is protected"),
        ({"protected_keys": ("a k*",)}, "it is protected"),
        ({"protected_projects": ("sear*",)}, "its project is protected"),
        ({"protected_projects": ("proj_1",)}, "its project is protected"),
        ({"protected_owners": ("ada@*",)}, "its owner is protected"),
        ({"protected_owners": ("user-1",)}, "its owner is protected"),
    ],
)
def test_each_bound_lets_the_key_be(bounds: dict[str, Any], reason: str) -> None:
    plan = planned(seen(old()), bounds=replace(WIDE, **bounds))
    assert plan.due == ()
    assert reasons(plan) == [(reason,)]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"own_keys": frozenset({"key_1"})}, "it may be the key that this scan itself uses"),
        (
            {"acts": (an_act(Result.DONE),)},
            "it was revoked already (receipt r1)",
        ),
        (
            {"acts": (an_act(Result.UNKNOWN),)},
            "it was, or may have been, revoked already (receipt r1)",
        ),
        ({"acts": (an_act(None),)}, "it was, or may have been, revoked already (receipt r1)"),
        ({"acts": (an_act(Result.REFUSED),)}, "the API refused it before (receipt r1): no"),
        (
            {"acts": (an_act(Result.DONE), an_act(Result.DONE, receipt="r2", undoes="r1"))},
            "its revocation was taken back (receipt r1): except it, or revoke it by hand",
        ),
    ],
)
def test_our_own_key_and_what_was_done_already_are_let_be(
    known: dict[str, Any], reason: str
) -> None:
    assert reasons(planned(seen(old()), **known)) == [(reason,)]


@pytest.mark.parametrize(
    "acts",
    [
        (an_act(Result.FAILED),),
        (an_act(Result.REFUSED, method=Method.RESTRICT),),
        (an_act(Result.DONE, key_id="key_2"),),
    ],
)
def test_what_had_no_effect_or_was_done_to_another_key_stops_nothing(acts: tuple[Act, ...]) -> None:
    assert due(planned(seen(old()), acts=acts)) == [("key_1", Method.EXPIRE)]


@pytest.mark.parametrize(
    ("expires_at", "method", "reason"),
    [
        (None, "expire", ""),
        (NOW + timedelta(days=7, hours=1), "expire", ""),
        (NOW + timedelta(days=7), "expire", "it expires by itself on 2026-07-08"),
        (NOW, "expire", "it has expired already"),
        (NOW, "restrict", "it has expired already"),
        (NOW + timedelta(days=1), "restrict", ""),
        (NOW, "delete", ""),
        (UNTOLD, "expire", "when it expires is unknown: the API did not say"),
    ],
)
def test_no_key_is_helped_to_live_longer(
    expires_at: datetime | Unknown | None, method: str, reason: str
) -> None:
    seen_by_audit = seen(old(expires_at=expires_at), events=(allowed("key_1"),))
    plan = planned(seen_by_audit, a_policy(method=method))
    assert reasons(plan) == ([(reason,)] if reason else [])


@pytest.mark.parametrize(
    ("scopes", "reason"),
    [
        ((), ""),
        (("api.all.read", "api.model.request"), ""),
        (("api.model.request",), "it is allowed less than reading everything already"),
        (None, "what it is allowed is unknown: the audit log does not tell"),
    ],
)
def test_no_key_is_allowed_more_by_being_restricted(
    scopes: tuple[str, ...] | None, reason: str
) -> None:
    events = () if scopes is None else (allowed("key_1", *scopes),)
    plan = planned(seen(old(), events=events), a_policy(method="restrict"))
    assert reasons(plan) == ([(reason,)] if reason else [])


PROMISED = Promise(
    WIDE.mode, Method.EXPIRE, timedelta(days=14), WIDE.expire_in, a_policy().rules[0].definition
)


@pytest.mark.parametrize(
    ("promise", "is_told"),
    [
        (PROMISED, True),
        (PROMISED._replace(method=Method.DELETE), True),
        (PROMISED._replace(mode=Mode.ENFORCE), True),
        (PROMISED._replace(expire_in=timedelta(days=1)), True),
        (PROMISED._replace(expire_in=timedelta(days=8)), False),
        (PROMISED._replace(definition="another"), False),
    ],
)
def test_what_people_were_told_otherwise_is_not_what_they_were_told(
    promise: Promise, *, is_told: bool
) -> None:
    inventory = seen(old())
    result = scanned(inventory, [a_policy()])
    told = {f.fingerprint: Told(TOLD, ago(days=1), promise) for f in result.findings}
    scene = Scene(
        result=result,
        inventory=inventory,
        policies=[a_policy()],
        bounds=WIDE,
        known=Known(announced=told),
    )
    plan = make_plan_of_revocation(scene)
    assert reasons(plan) == ([] if is_told else [(UNTOLD_YET,)])
    harsher = replace(scene, policies=[a_policy(method="delete")])
    is_untold = any(UNTOLD_YET in held.reasons for held in make_plan_of_revocation(harsher).held)
    assert is_untold is (promise.method is not Method.DELETE or not is_told)
    enforced = replace(scene, bounds=replace(WIDE, mode=Mode.ENFORCE))
    is_sure = promise.mode is Mode.ENFORCE
    assert reasons(make_plan_of_revocation(enforced)) == ([] if is_sure else [(UNTOLD_YET,)])


@pytest.mark.parametrize(
    ("heard", "due_at"),
    [
        (ago(days=1), ago(hours=4)),
        (ago(days=4), ago(days=3, hours=4)),
        (ago(days=4, seconds=1), NOW + timedelta(days=1)),
        (ago(hours=19), NOW + timedelta(hours=1)),
    ],
)
def test_nobody_is_surprised(heard: datetime, due_at: datetime) -> None:
    """If nothing was heard of it for four days it is told once more; and a night is always left."""
    plan = planned(seen(old()), heard=heard)
    (action,) = (*plan.due, *plan.waiting)
    assert action.due_at == due_at
    assert bool(plan.due) is (due_at <= NOW)


def test_a_longer_time_that_was_promised_is_kept() -> None:
    policy = a_policy(after="2d")
    promise = PROMISED._replace(after=timedelta(days=25))
    result = scanned(seen(old()), [policy])
    told = {f.fingerprint: Told(TOLD, ago(days=1), promise) for f in result.findings}
    scene = Scene(
        result=result,
        inventory=seen(old()),
        policies=[policy],
        bounds=WIDE,
        known=Known(announced=told),
    )
    (action,) = make_plan_of_revocation(scene).waiting
    assert action.due_at == TOLD + timedelta(days=25)


def test_what_was_done_under_another_name_counts() -> None:
    """An organization may change its name: its keys do not."""
    done = an_act(Result.DONE, organization="Acme before")
    assert reasons(planned(seen(old()), elsewhere=(done,))) == [
        ("it was revoked already (receipt r1)",)
    ]
    others = an_act(Result.DONE, key_id="key_2", at=ago(hours=1))
    inventory = seen(old(), a_key(id="key_2"))
    bounds = replace(WIDE, max_keys=1)
    assert planned(inventory, bounds=bounds, elsewhere=(others,)).refusal


@pytest.mark.parametrize(
    ("collection", "project", "is_held"),
    [
        (Collection.PROJECT_KEYS, "proj_1", True),
        (Collection.PROJECT_KEYS, "proj_2", False),
        (Collection.PROJECTS, None, True),
        (Collection.USERS, None, False),
    ],
)
def test_what_could_not_be_seen_of_its_surroundings_lets_the_key_be(
    collection: Collection, project: str | None, *, is_held: bool
) -> None:
    gap = a_gap(collection, project_id=project)
    plan = planned(seen(old(), coverage=(*SEEN, gap)))
    assert bool(plan.held) is is_held
    assert bool(plan.due) is not is_held


def test_what_the_rule_rests_on_must_have_been_seen() -> None:
    left = a_policy("{ owner.state: left_org }", after="1d")
    gone = old(owner=an_owner(id="user-9", email="gone@example.com"), project_access=None)
    whole = planned(seen(gone, coverage=SEEN), left)
    assert due(whole) == [("key_1", Method.EXPIRE)]
    part = planned(seen(gone, coverage=(*SEEN, a_gap(Collection.USERS))), left)
    assert part.due == ()


def test_what_is_excepted_or_undetermined_is_no_candidate() -> None:
    exception = (
        "exceptions:\n  - { rule: old, when: { key.id: key_1 }, reason: R, owner: o,"
        " expires: 2030-01-01 }\n"
    )
    plan = planned(
        seen(old(), old(id="key_2", created_at=NOW + timedelta(days=1))), a_policy(more=exception)
    )
    assert (plan.due, plan.waiting, plan.held) == ((), (), ())


def test_deleting_asks_usage_too() -> None:
    deleting = a_policy(method="delete")
    blind = tuple(row for row in SEEN if row.collection is not Collection.USAGE)
    assert reasons(planned(seen(old(), coverage=blind), deleting)) == [
        ("usage could not be seen, and deleting asks for it",)
    ]
    later = KeyUse(key_id="key_1", requests=3, last_day=ago(days=10))
    assert reasons(planned(seen(old(), uses=(later,)), deleting)) == [
        ("usage tells of a later use than the key does",)
    ]
    other = KeyUse(key_id="key_9", requests=3, last_day=ago(days=10))
    keys = (old(), a_key(id="key_9"))
    assert due(planned(seen(*keys, uses=(other,)), deleting)) == [("key_1", Method.DELETE)]


def test_an_admin_key_is_only_deleted_and_only_if_it_is_named() -> None:
    key = an_admin_key(created_at=ago(days=200), last_used_at=IDLE)
    named = replace(WIDE, admin_keys=frozenset({key.id}))
    assert reasons(planned(seen(key), bounds=named)) == [("an admin key can only be deleted",)]
    deleting = planned(seen(key, a_key()), a_policy(method="delete"), bounds=named)
    assert due(deleting) == [("key_admin", Method.DELETE)]


def test_of_two_rules_that_ask_the_milder_way_is_taken_once() -> None:
    two = a_policy(
        more=RULE.format(id="older", when="{ age: { over: 99d } }", method="delete", after="1d")
    )
    plan = planned(seen(old(), a_key(id="key_2")), two)
    assert due(plan) == [("key_1", Method.EXPIRE)]


@pytest.mark.parametrize(
    ("bounds", "today", "is_over"),
    [
        ({"max_keys": 3}, 0, False),
        ({"max_keys": 2}, 0, True),
        ({"max_keys": 3}, 1, True),
        ({"max_keys": 0}, 0, True),
        ({"max_percent": 30}, 0, False),
        ({"max_percent": 29.9}, 0, True),
        ({"max_percent": 0}, 0, True),
        ({"max_keys": 1000, "max_percent": 39}, 1, True),
    ],
)
def test_more_than_the_bounds_allow_is_nothing_at_all(
    bounds: dict[str, Any], today: int, *, is_over: bool
) -> None:
    """Three of ten keys are due."""
    keys = [old(id=f"key_{n}") for n in range(3)] + [a_key(id=f"young_{n}") for n in range(7)]
    acts = (
        *(an_act(Result.DONE, key_id=f"other_{n}", at=ago(hours=23)) for n in range(today)),
        an_act(Result.DONE, key_id="long ago", at=ago(hours=25)),
        an_act(Result.FAILED, key_id="none", at=ago(hours=1)),
    )
    plan = planned(seen(*keys), bounds=replace(WIDE, **bounds), acts=acts)
    assert len(plan.due) == (0 if is_over else 3)
    assert bool(plan.refusal) is is_over
    assert [held.reasons for held in plan.held] == [(plan.refusal,)] * (3 if is_over else 0)


def test_as_it_comes_one_of_a_hundred_keys_may_be_revoked_and_one_of_few_not() -> None:
    few = planned(seen(old()), bounds=Bounds())
    assert "which is 100.0% of 1, and max_percent is 1: none is revoked" in few.refusal
    young = [a_key(id=f"young_{n}") for n in range(99)]
    assert due(planned(seen(old(), *young), bounds=Bounds())) == [("key_1", Method.EXPIRE)]


@given(
    ages=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    used=st.lists(st.integers(0, 100), min_size=12, max_size=12),
    max_keys=st.integers(0, 6),
    told=st.integers(0, 20),
    kinds=st.lists(st.sampled_from([*KeyKind, UNTOLD]), min_size=12, max_size=12),
)
def test_nothing_is_due_that_any_promise_forbids(
    ages: list[int], used: list[int], max_keys: int, told: int, kinds: list[Any]
) -> None:
    keys = [
        a_key(
            id=f"key_{n}",
            created_at=ago(days=age),
            last_used_at=ago(days=min(used[n], age)),
            kind=kinds[n],
        )
        for n, age in enumerate(ages)
    ]
    bounds = replace(WIDE, max_keys=max_keys)
    plan = planned(seen(*keys), bounds=bounds, told=ago(days=told))
    assert len(plan.due) <= max_keys
    by_id = {key.id: key for key in keys}
    for action in (*plan.due, *plan.waiting):
        key = by_id[action.key_id]
        assert key.kind is KeyKind.PROJECT
        assert key.created_at < ago(days=90)
        assert isinstance(key.last_used_at, datetime)
        assert key.last_used_at <= ago(days=1)
        assert (action.due_at <= NOW) is (action in plan.due)
    assert len({action.key_id for action in plan.due}) == len(plan.due)
