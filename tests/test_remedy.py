"""Plans: exactly the keys that rules request, as announced in notices and within the limits."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.guards import Known
from scanner.inventory import (
    KeyKind,
)
from scanner.policy.parse import parse_policy
from scanner.receipt import Result
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.revocation import Bounds, Method, Mode, Promise, Told
from tests.factories import (
    NOW,
    a_key,
    ago,
)
from tests.planning import (
    IDLE,
    RULE,
    TOLD,
    UNTOLD,
    UNTOLD_YET,
    WIDE,
    a_policy,
    an_act,
    due,
    old,
    planned,
    reasons,
    scanned,
    seen,
)
from tests.support.prose import Prose


def test_without_a_reason_to_skip_the_violating_key_is_due_and_its_sibling_is_not() -> None:
    sibling = a_key(id="key_2", name="a key", last_used_at=IDLE)
    plan = planned(seen(old(), sibling))
    assert due(plan) == [("key_1", Method.EXPIRE)]
    assert (plan.waiting, plan.held, plan.refusal) == ((), (), "")
    (action,) = plan.due
    assert (action.announced_at, action.due_at) == (ago(days=19), ago(hours=4))
    assert action.evidence == "200 days old, limit 90 days"
    assert plan.expires_at - plan.made_at == timedelta(hours=24)


def test_a_rule_without_a_response_revokes_no_key() -> None:
    quiet = parse_policy(
        "policy: mine\nrules:\n  - { id: old, title: T, severity: high, violated_when:"
        " { age: { over: 90d } }, why: W, fix: F }\n",
        "p.yaml",
    )
    plan = planned(seen(old()), quiet)
    assert (plan.due, plan.waiting, plan.held) == ((), (), ())


def test_the_grace_period_starts_with_the_delivered_notice() -> None:
    assert due(planned(seen(old()), told=ago(days=14))) == [("key_1", Method.EXPIRE)]
    early = planned(seen(old()), told=ago(days=13, hours=23))
    assert [(a.key_id, a.due_at) for a in early.waiting] == [("key_1", NOW + timedelta(hours=1))]
    assert early.due == ()
    assert reasons(planned(seen(old()), told=None)) == [(UNTOLD_YET,)]


def test_a_notice_from_before_the_finding_was_reopened_does_not_count() -> None:
    assert reasons(planned(seen(old()), told=ago(days=21))) == [(UNTOLD_YET,)]


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
def test_a_notice_counts_only_if_it_covers_the_revocation(
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
def test_a_revocation_follows_a_recent_notice(heard: datetime, due_at: datetime) -> None:
    """After four days without a notice another one is required, at least 20 hours before."""
    plan = planned(seen(old()), heard=heard)
    (action,) = (*plan.due, *plan.waiting)
    assert action.due_at == due_at
    assert bool(plan.due) is (due_at <= NOW)


def test_a_longer_grace_period_in_the_notice_is_kept() -> None:
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


def test_excepted_and_undetermined_findings_revoke_no_key() -> None:
    exception = (
        "exceptions:\n  - { rule: old, when: { key.id: key_1 }, reason: R, owner: o,"
        " expires: 2030-01-01 }\n"
    )
    plan = planned(
        seen(old(), old(id="key_2", created_at=NOW + timedelta(days=1))), a_policy(more=exception)
    )
    assert (plan.due, plan.waiting, plan.held) == ((), (), ())


def test_of_two_rules_for_one_key_the_milder_method_is_used_once() -> None:
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
def test_if_a_limit_is_exceeded_no_key_is_revoked(
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


def test_by_default_one_of_a_hundred_keys_may_be_revoked_and_one_of_few_not(prose: Prose) -> None:
    few = planned(seen(old()), bounds=Bounds())
    prose(few.refusal)
    young = [a_key(id=f"young_{n}") for n in range(99)]
    assert due(planned(seen(old(), *young), bounds=Bounds())) == [("key_1", Method.EXPIRE)]


@given(
    ages=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    used=st.lists(st.integers(0, 100), min_size=12, max_size=12),
    max_keys=st.integers(0, 6),
    told=st.integers(0, 20),
    kinds=st.lists(st.sampled_from([*KeyKind, UNTOLD]), min_size=12, max_size=12),
)
def test_no_key_is_due_against_any_limit(
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
        assert isinstance(key.created_at, datetime)
        assert key.created_at < ago(days=90)
        assert isinstance(key.last_used_at, datetime)
        assert key.last_used_at <= ago(days=1)
        assert (action.due_at <= NOW) is (action in plan.due)
    assert len({action.key_id for action in plan.due}) == len(plan.due)


def test_a_share_just_over_its_limit_differs_from_the_limit_visibly(prose: Prose) -> None:
    keys = (old(), *(a_key(id=f"key_{number}") for number in range(98)))
    refusal = planned(seen(*keys), bounds=replace(WIDE, max_percent=1)).refusal
    assert "1.01%" in refusal
    prose(refusal)


def test_the_refusal_counts_the_keys_of_the_last_24_hours(prose: Prose) -> None:
    keys = [old(id=f"key_{n}") for n in range(3)]
    done = an_act(Result.DONE, key_id="other", at=ago(hours=23))
    prose(planned(seen(*keys), bounds=replace(WIDE, max_keys=3), acts=(done,)).refusal)
