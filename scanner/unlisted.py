"""Users who used a key that is in no listing. Pure.

Source: `api_key_last_used_at` of a user is the last use of any of the user's keys. If it is later
than the last use of all listed keys, it is of a legacy user key, or of a key deleted since.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from scanner.collection import Collection
from scanner.inventory import Inventory, OwnerKind, Unknown, User, is_complete
from scanner.plausible import past
from scanner.policy.subject import subjects
from scanner.result import UnlistedKey

_LISTINGS: Final = (Collection.PROJECTS, Collection.PROJECT_KEYS, Collection.ADMIN_KEYS)
_ROUNDING: Final = timedelta(days=1)
"""The tolerance between two dates of one use: they can be rounded, and are read at two times."""


def unlisted_keys(inventory: Inventory, now: datetime) -> tuple[UnlistedKey, ...]:
    """Return the users of keys in no listing, latest use first; empty if a listing is partial.

    A user with a listed key whose last use is Unknown is omitted: it may be that key.
    """
    if not is_complete(row for row in inventory.coverage if row.collection in _LISTINGS):
        return ()
    newest: dict[str, datetime | Unknown | None] = {}
    for subject in subjects(inventory, now):
        owner = subject.key.owner
        if owner.kind is not OwnerKind.SERVICE_ACCOUNT and isinstance(owner.id, str):
            newest[owner.id] = _later(newest.get(owner.id), subject.last_use)
    found = [
        UnlistedKey(user_id=user.id, name=user.name, email=user.email, last_used_at=used_at)
        for user, used_at in _uses(inventory, now)
        if _is_beyond(used_at, newest.get(user.id))
    ]
    return tuple(sorted(found, key=lambda one: (-one.last_used_at.timestamp(), one.user_id)))


def _uses(inventory: Inventory, now: datetime) -> Iterator[tuple[User, datetime]]:
    for user in inventory.users:
        if user.key_last_used_at is not None:
            used_at = past(user.key_last_used_at, "api_key_last_used_at", now)
            if isinstance(used_at, datetime):
                yield user, used_at


def _later(
    one: datetime | Unknown | None, other: datetime | Unknown | None
) -> datetime | Unknown | None:
    if isinstance(one, Unknown) or other is None:
        return one
    return other if isinstance(other, Unknown) or one is None else max(one, other)


def _is_beyond(used_at: datetime, listed: datetime | Unknown | None) -> bool:
    if isinstance(listed, Unknown):
        return False
    return listed is None or used_at - listed > _ROUNDING
