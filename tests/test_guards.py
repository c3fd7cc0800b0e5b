"""Each guard: what lets a key be that violates a rule which asks for its revocation."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import Key, KeyKind, KeyUse, Unknown
from scanner.receipt import Act, Result
from scanner.revocation import Method
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    ago,
    an_admin_key,
    an_owner,
)
from tests.planning import (
    IDLE,
    SEEN,
    TOLD,
    UNTOLD,
    UNTOLD_YET,
    WIDE,
    a_policy,
    allowed,
    an_act,
    due,
    old,
    planned,
    reasons,
    seen,
)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (old(last_used_at=ago(hours=23)), "it was used 23h ago, within 1d"),
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
        ({"min_age": timedelta(days=201)}, "it is 200d old, younger than 201d"),
        ({"recent_use": timedelta(days=41)}, "it was used 40d ago, within 41d"),
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


def test_a_key_that_several_projects_list_is_skipped() -> None:
    plan = planned(seen(old(), ambiguous=("key_1",)))
    assert plan.due == ()
    assert reasons(plan) == [("its id is listed more than once",)]


@pytest.mark.parametrize("owner", [{"id": Unknown(reason="?")}, {"name": None}, {"email": None}])
def test_an_owner_of_whom_a_name_is_unknown_may_be_protected(owner: dict[str, Any]) -> None:
    bounds = replace(WIDE, protected_owners=("ci-*",))
    key = old(owner=an_owner(**owner))
    plan = planned(seen(key, users=()), a_policy(), bounds=bounds)
    assert plan.due == ()
    assert reasons(plan) == [("its owner may be protected: its name is unknown",)]


def test_an_admin_key_has_no_project_that_could_be_protected() -> None:
    key = old(kind=KeyKind.ADMIN, project_id=None, project_access=None)
    bounds = replace(WIDE, protected_projects=("x",), admin_keys=frozenset({"key_1"}))
    plan = planned(seen(key), a_policy(method="delete"), bounds=bounds)
    assert [action.key_id for action in plan.due] == ["key_1"]


def test_a_key_whose_name_is_unknown_may_be_protected() -> None:
    bounds = replace(WIDE, protected_keys=("vendor-*",))
    assert len(planned(seen(old()), bounds=bounds).due) == 1
    plan = planned(seen(old(name=None)), bounds=bounds)
    assert plan.due == ()
    assert reasons(plan) == [("it may be protected: its name is unknown",)]


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
        (NOW + timedelta(days=1), "restrict", ""),
        (UNTOLD, "expire", "whether it is live is unknown: the API did not say"),
        (UNTOLD, "restrict", "whether it is live is unknown: the API did not say"),
        (UNTOLD, "delete", "whether it is live is unknown: the API did not say"),
    ],
)
def test_no_key_is_helped_to_live_longer(
    expires_at: datetime | Unknown | None, method: str, reason: str
) -> None:
    seen_by_audit = seen(old(expires_at=expires_at), events=(allowed("key_1"),))
    plan = planned(seen_by_audit, a_policy(method=method))
    assert reasons(plan) == ([(reason,)] if reason else [])


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("expire", "it has expired already"),
        ("restrict", "it has expired already"),
        ("delete", ""),
    ],
)
def test_an_expired_key_can_only_be_deleted_and_only_by_a_rule_for_expired_keys(
    method: str, reason: str
) -> None:
    inventory = seen(old(expires_at=ago(days=30)), events=(allowed("key_1"),))
    plan = planned(inventory, a_policy("{ key.state: expired, age: { over: 90d } }", method=method))
    assert reasons(plan) == ([(reason,)] if reason else [])
    assert due(plan) == ([] if reason else [("key_1", Method.DELETE)])


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


def test_a_notice_dated_in_the_future_starts_no_grace_period() -> None:
    """The clock was ahead when it was delivered."""
    plan = planned(seen(old()), told=NOW + timedelta(days=1), heard=NOW + timedelta(days=1))
    assert plan.due == plan.waiting == ()
    assert reasons(plan) == [(UNTOLD_YET,)]


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (timedelta(days=3), "this machine's clock is 3d ahead of the API's"),
        (timedelta(days=-3), "this machine's clock is 3d behind the API's"),
        (None, "the API did not give the time, so that this machine's clock cannot be verified"),
    ],
)
@pytest.mark.parametrize("told", [None, TOLD])
def test_a_scan_whose_clock_is_not_verified_revokes_and_promises_nothing(
    told: datetime | None, ahead: timedelta | None, reason: str
) -> None:
    plan = planned(seen(old(), clock_ahead=ahead), told=told)
    assert plan.due == plan.waiting == ()
    assert [first for first, *_ in reasons(plan)] == [reason]
    assert not any(held.is_to_be_told for held in plan.held)


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("caf\u00e9-*", "cafe\u0301-1"),
        ("cafe\u0301-*", "caf\u00e9-1"),
        ("STRASSE", "stra\u00dfe"),
        ("vendor-*", "\uff56endor-1"),
        ("vendor x", "vendor\u00a0x"),
        ("vendor-*", " vendor-1"),
        ("vendor-*", "\u200bvendor-1"),
        ("vendor-*", "\u202even\u00addor-1"),
        ("[prod] *", "[prod] api"),
        ("[ab]-*", "a-1"),
        ("a*[1]?", "a-[1]x"),
    ],
)
def test_a_protected_name_is_compared_as_people_read_it(glob: str, name: str) -> None:
    plan = planned(seen(old(name=name)), bounds=replace(WIDE, protected_keys=(glob,)))
    assert reasons(plan) == [("it is protected",)]


@pytest.mark.parametrize(
    ("glob", "name"), [("vendor-*", "x-vendor-1"), ("[prod] *", "prod api"), ("caf\u00e9", "cafe")]
)
def test_another_name_is_not_protected(glob: str, name: str) -> None:
    plan = planned(seen(old(name=name)), bounds=replace(WIDE, protected_keys=(glob,)))
    assert due(plan) == [("key_1", Method.EXPIRE)]
