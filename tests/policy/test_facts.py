from datetime import timedelta
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.finding import OwnerState
from scanner.inventory import OwnerKind, ProjectAccess, ProjectState, Unknown
from scanner.policy.facts import FACTS
from scanner.policy.registry import FactType, Value
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_project,
    a_subject,
    a_user,
    ago,
    an_admin_key,
    an_owner,
    full_coverage,
)

UNTOLD = Unknown(reason="not told")
BOT = an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="bot", email=None)


def read(fact: str, **changes: Any) -> Value:
    return FACTS[fact].read(a_subject(**changes))


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("key.id", "key_1"),
        ("key.kind", "project"),
        ("key.state", "live"),
        ("key.name", "a key"),
        ("age", timedelta(days=10)),
        ("idle", timedelta(days=1)),
        ("used", True),
        ("expires", True),
        ("expires_in", timedelta(days=20)),
        ("expired_for", None),
        ("lifetime", timedelta(days=30)),
        ("owner.kind", "user"),
        ("owner.state", "active"),
        ("owner.id", "user-1"),
        ("owner.email", "ada@example.com"),
        ("owner.name", "Ada Ito"),
        ("owner.project_role", "member"),
        ("owner.org_role", "reader"),
        ("owner.keys", 1),
        ("owner.project_keys", 1),
        ("project.id", "proj_1"),
        ("project.name", "search"),
        ("project.state", "active"),
        ("project.age", timedelta(days=2000)),
        ("project.keys", 1),
    ],
)
def test_every_fact_of_an_ordinary_key(fact: str, value: Value) -> None:
    assert read(fact) == value


def test_the_list_above_is_every_fact_there_is() -> None:
    assert len(FACTS) == 32


@pytest.mark.parametrize(
    "fact",
    [
        "owner.project_keys",
        "owner.project_role",
        "project.age",
        "project.id",
        "project.keys",
        "project.name",
        "project.state",
    ],
)
def test_an_admin_key_has_no_project(fact: str) -> None:
    assert read(fact, keys=(an_admin_key(),)) is None


def test_an_admin_keys_owner_is_looked_up_for_an_address() -> None:
    assert read("owner.email", keys=(an_admin_key(),)) == "ada@example.com"


def test_a_key_never_used_idles_from_its_creation() -> None:
    keys = (a_key(last_used_at=None),)
    assert read("idle", keys=keys) == timedelta(days=10)
    assert read("used", keys=keys) is False


def test_a_key_that_never_expires_has_no_lifetime() -> None:
    keys = (a_key(expires_at=None),)
    assert read("expires", keys=keys) is False
    assert read("expires_in", keys=keys) is None
    assert read("lifetime", keys=keys) is None


def test_an_expired_key_expires_in_less_than_nothing() -> None:
    assert read("expires_in", keys=(a_key(expires_at=ago(days=2)),)) == timedelta(days=-2)


@pytest.mark.parametrize(
    ("fact", "field"),
    [
        ("idle", "last_used_at"),
        ("used", "last_used_at"),
        ("expires", "expires_at"),
        ("expires_in", "expires_at"),
        ("lifetime", "expires_at"),
    ],
)
def test_what_the_api_did_not_tell_is_unknown(fact: str, field: str) -> None:
    assert read(fact, keys=(a_key(**{field: UNTOLD}),)) == UNTOLD


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, OwnerState.ACTIVE),
        ({"users": (a_user(enabled=False),)}, OwnerState.DISABLED),
        ({"keys": (a_key(project_access=ProjectAccess.INACTIVE),)}, OwnerState.NO_PROJECT_ACCESS),
        (
            {"keys": (a_key(owner=BOT, project_access=ProjectAccess.INACTIVE),)},
            OwnerState.SERVICE_ACCOUNT_MISSING,
        ),
        ({"keys": (a_key(project_access=UNTOLD),), "users": ()}, OwnerState.LEFT_ORG),
        (
            {"keys": (a_key(project_access=ProjectAccess.INACTIVE),), "users": ()},
            OwnerState.LEFT_ORG,
        ),
        (
            {
                "keys": (a_key(project_access=ProjectAccess.INACTIVE),),
                "users": (a_user(enabled=False),),
            },
            OwnerState.DISABLED,
        ),
        ({"keys": (an_admin_key(),)}, OwnerState.ACTIVE),
        ({"keys": (an_admin_key(),), "users": ()}, OwnerState.LEFT_ORG),
    ],
)
def test_where_an_owner_stands(changes: dict[str, Any], state: OwnerState) -> None:
    assert read("owner.state", **changes) == state


def without(collection: Collection) -> dict[str, Any]:
    rest = tuple(r for r in full_coverage("proj_1") if r.collection is not collection)
    return {"coverage": (*rest, a_gap(collection, project_id=None))}


def possible(**changes: Any) -> set[str]:
    state = read("owner.state", **changes)
    assert isinstance(state, Unknown)
    return set(state.possible)


def test_without_the_users_an_owner_with_access_may_still_have_left_or_be_disabled() -> None:
    assert possible(users=(), **without(Collection.USERS)) == {"active", "disabled", "left_org"}


def test_without_the_users_an_owner_without_access_is_not_simply_active() -> None:
    keys = (a_key(project_access=ProjectAccess.INACTIVE),)
    assert possible(keys=keys, users=(), **without(Collection.USERS)) == {
        "disabled",
        "left_org",
        "no_project_access",
    }


def test_without_service_accounts_one_may_be_missing_but_has_not_left() -> None:
    keys = (a_key(owner=BOT, project_access=ProjectAccess.INACTIVE),)
    assert possible(keys=keys, **without(Collection.SERVICE_ACCOUNTS)) == {
        "no_project_access",
        "service_account_missing",
    }


def test_a_service_account_that_can_reach_the_project_exists_whether_listed_or_not() -> None:
    changes = without(Collection.SERVICE_ACCOUNTS)
    assert read("owner.state", keys=(a_key(owner=BOT),), **changes) == OwnerState.ACTIVE


def test_in_an_archived_project_the_reason_is_the_api_itself() -> None:
    state = read(
        "owner.state",
        keys=(a_key(owner=BOT, project_access=ProjectAccess.INACTIVE),),
        projects=(a_project(state=ProjectState.ARCHIVED),),
        coverage=tuple(
            row
            for row in full_coverage("proj_1")
            if row.collection is not Collection.SERVICE_ACCOUNTS
        ),
    )
    assert isinstance(state, Unknown)
    assert state.reason == "the API does not list the service accounts of archived projects"


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({"users": ()}, {"active", "left_org"}),
        ({"keys": (a_key(owner=BOT),)}, {"active", "service_account_missing"}),
    ],
)
def test_an_owner_whom_only_the_key_still_knows_is_neither_cleared_nor_convicted(
    changes: dict[str, Any], states: set[str]
) -> None:
    assert possible(**changes) == states


@pytest.mark.parametrize(
    ("fact", "changes"),
    [
        ("owner.email", {"keys": (a_key(owner=an_owner(email=None)),), "users": ()}),
        ("owner.name", {"keys": (a_key(owner=an_owner(name=None)),)}),
        ("owner.project_role", {"keys": (a_key(owner=an_owner(role=None)),)}),
        ("owner.org_role", {"users": (a_user(role=None),)}),
        ("owner.org_role", {"keys": (a_key(owner=an_owner(id=UNTOLD)),)}),
        ("owner.org_role", {"keys": (a_key(owner=an_owner(kind=UNTOLD)),), "users": ()}),
        ("project.name", {"projects": (a_project(name=None),)}),
        ("project.name", {"keys": (an_admin_key(kind=UNTOLD),)}),
        ("key.kind", {"keys": (an_admin_key(kind=UNTOLD),)}),
        ("age", {"keys": (a_key(created_at=ago(hours=-2)),)}),
        ("idle", {"keys": (a_key(last_used_at=ago(hours=-2)),)}),
        ("project.age", {"projects": (a_project(created_at=ago(hours=-2)),)}),
    ],
)
def test_what_was_not_told_or_cannot_be_is_unknown_and_not_absent(
    fact: str, changes: dict[str, Any]
) -> None:
    assert isinstance(read(fact, **changes), Unknown)


def test_a_service_account_has_no_address_and_no_role_in_the_organization() -> None:
    keys = (a_key(owner=BOT, project_access=ProjectAccess.INACTIVE),)
    assert read("owner.email", keys=keys) is None
    assert read("owner.org_role", keys=keys) is None


def test_someone_who_left_has_no_role_in_the_organization() -> None:
    keys = (a_key(project_access=ProjectAccess.INACTIVE),)
    assert read("owner.org_role", keys=keys, users=()) is None


def test_clocks_may_differ_a_little() -> None:
    assert read("age", keys=(a_key(created_at=ago(minutes=-5), last_used_at=None),)) == timedelta()


def test_a_projects_own_gap_is_told_alike_for_every_project() -> None:
    """So that a thousand projects that could not be listed make one line and not a thousand."""
    rest = tuple(
        row for row in full_coverage("proj_1") if row.collection is not Collection.SERVICE_ACCOUNTS
    )
    gap = a_gap(Collection.SERVICE_ACCOUNTS, project_id="proj_1")
    keys = (a_key(owner=BOT, project_access=ProjectAccess.INACTIVE),)
    state = read("owner.state", keys=keys, coverage=(*rest, gap))
    assert isinstance(state, Unknown)
    assert state.reason == "the project's service_accounts could not be listed"


def test_an_owner_who_is_not_named_can_be_in_any_state() -> None:
    keys = (a_key(owner=an_owner(id=UNTOLD), project_access=UNTOLD),)
    assert possible(keys=keys) == {"active", "disabled", "left_org", "no_project_access"}


def test_counting_keys_needs_to_have_seen_them_all() -> None:
    changes = without(Collection.ADMIN_KEYS)
    assert isinstance(read("owner.keys", **changes), Unknown)
    assert read("project.keys", **changes) == 1


def test_every_choice_is_among_its_facts_choices() -> None:
    for fact in FACTS.values():
        assert (fact.type is FactType.CHOICE) == bool(fact.choices)
        if fact.choices:
            assert read(fact.name) in fact.choices
    assert a_subject().now == NOW


def test_a_key_whose_owner_is_unknown_may_be_anyones() -> None:
    """Counts are what is certain at least: in its project, and in the whole organization."""
    nobody = an_owner(id=Unknown(reason="owner is null"))
    keys = (a_key(), a_key(id="key_2", owner=nobody))
    for name in ("owner.keys", "owner.project_keys"):
        value = read(name, keys=keys)
        assert isinstance(value, Unknown)
        assert value.at_least == 1
    elsewhere = (a_key(), a_key(id="key_2", owner=nobody, project_id="proj_2"))
    assert read("owner.project_keys", keys=elsewhere) == 1
    assert isinstance(read("owner.keys", keys=elsewhere), Unknown)
