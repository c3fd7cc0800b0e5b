"""Each guard: the reasons to skip a key although a rule requests its revocation."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import Key, KeyKind, KeyUse, Unknown
from scanner.plausible import clock_problem
from scanner.receipt import Act, Result
from scanner.revocation import Method, Plan
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
from tests.support.prose import Prose


def the_reason(plan: Plan) -> str:
    """Return the only reason to skip the only key."""
    assert plan.due == plan.waiting == ()
    ((reason,),) = reasons(plan)
    return reason


@pytest.mark.parametrize(
    "key",
    [
        old(last_used_at=ago(hours=23)),
        old(last_used_at=UNTOLD),
        old(last_used_at=NOW + timedelta(hours=2)),
        old(kind=UNTOLD),
        an_admin_key(created_at=ago(days=200), last_used_at=IDLE),
    ],
    ids=["used", "use unknown", "used in the future", "kind unknown", "admin key"],
)
def test_a_key_in_use_or_with_unknown_data_is_skipped(key: Key, prose: Prose) -> None:
    prose(the_reason(planned(seen(key))))


@pytest.mark.parametrize(
    "bounds",
    [
        {"min_age": timedelta(days=201)},
        {"recent_use": timedelta(days=41)},
        {"protected_keys": ("key_*",)},
        {"protected_keys": ("a k*",)},
        {"protected_projects": ("sear*",)},
        {"protected_projects": ("proj_1",)},
        {"protected_owners": ("ada@*",)},
        {"protected_owners": ("user-1",)},
    ],
    ids=" ".join,
)
def test_each_limit_skips_the_key(bounds: dict[str, Any], prose: Prose) -> None:
    prose(the_reason(planned(seen(old()), bounds=replace(WIDE, **bounds))))


def test_a_key_that_several_projects_list_is_skipped(prose: Prose) -> None:
    prose(the_reason(planned(seen(old(), ambiguous=("key_1",)))))


@pytest.mark.parametrize("owner", [{"id": Unknown(reason="?")}, {"name": None}, {"email": None}])
def test_an_owner_with_an_unknown_identifier_may_be_protected(
    owner: dict[str, Any], prose: Prose
) -> None:
    bounds = replace(WIDE, protected_owners=("ci-*",))
    key = old(owner=an_owner(**owner))
    prose(the_reason(planned(seen(key, users=()), a_policy(), bounds=bounds)))


def test_an_admin_key_has_no_project_that_could_be_protected() -> None:
    key = old(kind=KeyKind.ADMIN, project_id=None, project_access=None)
    bounds = replace(WIDE, protected_projects=("x",), admin_keys=frozenset({"key_1"}))
    plan = planned(seen(key), a_policy(method="delete"), bounds=bounds)
    assert [action.key_id for action in plan.due] == ["key_1"]


def test_a_key_whose_name_is_unknown_may_be_protected(prose: Prose) -> None:
    bounds = replace(WIDE, protected_keys=("vendor-*",))
    assert len(planned(seen(old()), bounds=bounds).due) == 1
    prose(the_reason(planned(seen(old(name=None)), bounds=bounds)))


@pytest.mark.parametrize(
    "known",
    [
        {"own_keys": frozenset({"key_1"})},
        {"acts": (an_act(Result.DONE),)},
        {"acts": (an_act(Result.UNKNOWN),)},
        {"acts": (an_act(None),)},
        {"acts": (an_act(Result.REFUSED),)},
        {"acts": (an_act(Result.DONE), an_act(Result.DONE, receipt="r2", undoes="r1"))},
    ],
    ids=["own key", "done", "unknown", "unfinished", "refused", "undone"],
)
def test_the_scans_own_key_and_a_key_with_an_earlier_action_are_skipped(
    known: dict[str, Any], prose: Prose
) -> None:
    prose(the_reason(planned(seen(old()), **known)))


@pytest.mark.parametrize(
    "acts",
    [
        (an_act(Result.FAILED),),
        (an_act(Result.REFUSED, method=Method.RESTRICT),),
        (an_act(Result.DONE, key_id="key_2"),),
    ],
)
def test_an_action_without_effect_or_on_another_key_skips_no_key(acts: tuple[Act, ...]) -> None:
    assert due(planned(seen(old()), acts=acts)) == [("key_1", Method.EXPIRE)]


@pytest.mark.parametrize(
    ("expires_at", "method"),
    [
        (None, "expire"),
        (NOW + timedelta(days=7, hours=1), "expire"),
        (NOW + timedelta(days=1), "restrict"),
    ],
)
def test_a_key_is_revoked_if_that_shortens_its_life(
    expires_at: datetime | None, method: str
) -> None:
    inventory = seen(old(expires_at=expires_at), events=(allowed("key_1"),))
    assert due(planned(inventory, a_policy(method=method))) == [("key_1", Method(method))]


@pytest.mark.parametrize(
    ("expires_at", "method"),
    [
        (NOW + timedelta(days=7), "expire"),
        (UNTOLD, "expire"),
        (UNTOLD, "restrict"),
        (UNTOLD, "delete"),
    ],
)
def test_a_key_that_expires_as_soon_or_at_an_unknown_time_is_skipped(
    expires_at: datetime | Unknown, method: str, prose: Prose
) -> None:
    inventory = seen(old(expires_at=expires_at), events=(allowed("key_1"),))
    prose(the_reason(planned(inventory, a_policy(method=method))))


EXPIRED = "{ key.state: expired, age: { over: 90d } }"


@pytest.mark.parametrize("method", ["expire", "restrict"])
def test_an_expired_key_is_neither_expired_nor_restricted(method: str, prose: Prose) -> None:
    inventory = seen(old(expires_at=ago(days=30)), events=(allowed("key_1"),))
    prose(the_reason(planned(inventory, a_policy(EXPIRED, method=method))))


def test_an_expired_key_can_be_deleted_by_a_rule_for_expired_keys() -> None:
    inventory = seen(old(expires_at=ago(days=30)), events=(allowed("key_1"),))
    plan = planned(inventory, a_policy(EXPIRED, method="delete"))
    assert due(plan) == [("key_1", Method.DELETE)]


@pytest.mark.parametrize("scopes", [(), ("api.all.read", "api.model.request")])
def test_a_key_with_full_read_access_can_be_restricted(scopes: tuple[str, ...]) -> None:
    inventory = seen(old(), events=(allowed("key_1", *scopes),))
    assert due(planned(inventory, a_policy(method="restrict"))) == [("key_1", Method.RESTRICT)]


@pytest.mark.parametrize("scopes", [("api.model.request",), None], ids=["less", "unknown"])
def test_a_restriction_adds_no_permission(scopes: tuple[str, ...] | None, prose: Prose) -> None:
    events = () if scopes is None else (allowed("key_1", *scopes),)
    prose(the_reason(planned(seen(old(), events=events), a_policy(method="restrict"))))


def test_actions_under_another_name_count() -> None:
    """An organization may change its name; its keys stay the same."""
    done = an_act(Result.DONE, organization="Acme before")
    assert "r1" in the_reason(planned(seen(old()), elsewhere=(done,)))
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
def test_a_key_is_skipped_if_projects_or_its_projects_keys_were_not_collected(
    collection: Collection, project: str | None, *, is_held: bool
) -> None:
    gap = a_gap(collection, project_id=project)
    plan = planned(seen(old(), coverage=(*SEEN, gap)))
    assert bool(plan.held) is is_held
    assert bool(plan.due) is not is_held


def test_data_that_the_rule_needs_must_have_been_collected() -> None:
    left = a_policy("{ owner.state: left_org }", after="1d")
    gone = old(owner=an_owner(id="user-9", email="gone@example.com"), project_access=None)
    whole = planned(seen(gone, coverage=SEEN), left)
    assert due(whole) == [("key_1", Method.EXPIRE)]
    part = planned(seen(gone, coverage=(*SEEN, a_gap(Collection.USERS))), left)
    assert part.due == ()


def test_a_deletion_requires_usage_that_confirms_the_last_use(prose: Prose) -> None:
    deleting = a_policy(method="delete")
    blind = tuple(row for row in SEEN if row.collection is not Collection.USAGE)
    prose(the_reason(planned(seen(old(), coverage=blind), deleting)))
    later = KeyUse(key_id="key_1", requests=3, last_day=ago(days=10))
    prose(the_reason(planned(seen(old(), uses=(later,)), deleting)))
    other = KeyUse(key_id="key_9", requests=3, last_day=ago(days=10))
    keys = (old(), a_key(id="key_9"))
    assert due(planned(seen(*keys, uses=(other,)), deleting)) == [("key_1", Method.DELETE)]


def test_an_admin_key_is_only_deleted_and_only_if_it_is_named(prose: Prose) -> None:
    key = an_admin_key(created_at=ago(days=200), last_used_at=IDLE)
    named = replace(WIDE, admin_keys=frozenset({key.id}))
    prose(the_reason(planned(seen(key), bounds=named)))
    deleting = planned(seen(key, a_key()), a_policy(method="delete"), bounds=named)
    assert due(deleting) == [("key_admin", Method.DELETE)]


def test_a_notice_dated_in_the_future_starts_no_grace_period() -> None:
    """The clock was ahead when it was delivered."""
    plan = planned(seen(old()), told=NOW + timedelta(days=1), heard=NOW + timedelta(days=1))
    assert the_reason(plan) == UNTOLD_YET


@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(days=-3), None])
@pytest.mark.parametrize("told", [None, TOLD])
def test_a_scan_whose_clock_is_not_verified_revokes_no_key_and_sends_no_notice(
    told: datetime | None, ahead: timedelta | None
) -> None:
    plan = planned(seen(old(), clock_ahead=ahead), told=told)
    assert plan.due == plan.waiting == ()
    ((first, *_),) = reasons(plan)
    assert first.endswith(clock_problem(ahead))
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
    assert due(planned(seen(old(name=name)))) == [("key_1", Method.EXPIRE)]
    assert the_reason(planned(seen(old(name=name)), bounds=replace(WIDE, protected_keys=(glob,))))


@pytest.mark.parametrize(
    ("glob", "name"), [("vendor-*", "x-vendor-1"), ("[prod] *", "prod api"), ("caf\u00e9", "cafe")]
)
def test_another_name_is_not_protected(glob: str, name: str) -> None:
    plan = planned(seen(old(name=name)), bounds=replace(WIDE, protected_keys=(glob,)))
    assert due(plan) == [("key_1", Method.EXPIRE)]
