"""A user's last use of a key that is later than that of all listed keys is reported."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import CoverageState, OwnerKind, Unknown
from scanner.unlisted import unlisted_keys
from tests.factories import (
    NOW,
    a_key,
    a_listing,
    a_user,
    ago,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)

DAY = timedelta(days=1)


def found(used_at: datetime | Unknown | None, *keys: Any, **changes: Any) -> list[str]:
    users = (a_user(key_last_used_at=used_at),)
    inventory = an_inventory(users=users, keys=keys, **changes)
    return [one.user_id for one in unlisted_keys(inventory, NOW)]


@pytest.mark.parametrize(
    ("used_at", "keys"),
    [
        (ago(days=1), ()),
        (ago(days=1), (a_key(last_used_at=None),)),
        (ago(days=1), (a_key(last_used_at=ago(days=9)),)),
        (ago(days=1), (a_key(owner=an_owner(id="user-2")),)),
        (ago(days=1), (a_key(owner=an_owner(id="user-1", kind=OwnerKind.SERVICE_ACCOUNT)),)),
    ],
)
def test_a_use_of_no_listed_key_is_reported(used_at: datetime, keys: tuple[Any, ...]) -> None:
    assert found(used_at, *keys) == ["user-1"]


@pytest.mark.parametrize(
    ("used_at", "keys"),
    [
        (None, ()),
        (Unknown(reason="not given"), ()),
        (ago(days=-30), ()),
        (ago(days=1), (a_key(last_used_at=ago(days=1)),)),
        (ago(hours=20), (a_key(last_used_at=ago(days=1)),)),
        (ago(days=1), (a_key(last_used_at=Unknown(reason="not given")),)),
        (ago(days=1), (a_key(last_used_at=ago(days=9)), an_admin_key(last_used_at=ago(days=1)))),
    ],
)
def test_a_use_that_a_listed_key_can_explain_is_not(used_at: Any, keys: tuple[Any, ...]) -> None:
    assert found(used_at, *keys) == []


@pytest.mark.parametrize(
    "collection", [Collection.PROJECTS, Collection.PROJECT_KEYS, Collection.ADMIN_KEYS]
)
def test_nothing_is_concluded_from_a_partial_listing(collection: Collection) -> None:
    rest = [row for row in full_coverage("proj_1") if row.collection is not collection]
    gap = a_listing(collection, state=CoverageState.PARTIAL)
    assert found(ago(days=1), coverage=(*rest, gap)) == []
