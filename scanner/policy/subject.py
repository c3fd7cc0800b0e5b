"""One key with its related data in the inventory, from which facts are read."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scanner.collection import Collection
from scanner.finding import OwnerState
from scanner.inventory import (
    Inventory,
    Key,
    KeyKind,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    Unknown,
    User,
)
from scanner.plausible import earliest, past, plausible_key
from scanner.policy.directory import Directory

_DAY: Final = timedelta(days=1)
_ACCESS: Final = ProjectAccess.ACTIVE  # used for every key: enum attributes are slow
_ACTIVE: Final = OwnerState.ACTIVE
_USER: Final = OwnerKind.USER
_SERVICE_ACCOUNT: Final = OwnerKind.SERVICE_ACCOUNT
_USER_STATES = frozenset(
    {
        OwnerState.ACTIVE,
        OwnerState.DISABLED,
        OwnerState.LEFT_ORG,
        OwnerState.NO_PROJECT_ACCESS,
    }
)
_SERVICE_ACCOUNT_STATES = frozenset(
    {OwnerState.ACTIVE, OwnerState.NO_PROJECT_ACCESS, OwnerState.SERVICE_ACCOUNT_MISSING}
)


class Subject(NamedTuple):
    """One key at one moment, with its project, owner and last use from the directory.

    `owner_email` is the key's or, failing that, the organization member's.
    """

    key: Key
    now: datetime
    directory: Directory
    project: Project | None
    user: User | None
    owner_state: OwnerState | Unknown
    owner_email: str | None
    last_use: datetime | Unknown | None

    @property
    def who_tells_last_use(self) -> str:
        """The source of `last_use`."""
        told = self.key.last_used_at
        if self.last_use is not told:
            return "usage"
        is_sure = told is None and self.directory.knows_usage
        return "last_used_at and usage" if is_sure else "last_used_at"

    def since(self, moment: datetime | Unknown) -> timedelta | Unknown:
        """Return the time since a moment; Unknown if the moment is in the future."""
        moment = past(moment, "it", self.now)
        return moment if isinstance(moment, Unknown) else self.now - moment


def subjects(inventory: Inventory, now: datetime) -> Iterator[Subject]:
    """Yield one subject for each key, in the inventory's order."""
    directory = Directory(inventory, now)
    for listed in inventory.keys:
        project = directory.projects.get(listed.project_id)
        key = plausible_key(listed, project, now)
        user = directory.users.get(key.owner.id)
        yield Subject(
            key,
            now,
            directory,
            project,
            user,
            _owner_state(key, user, directory),
            key.owner.email or (user.email if user else None),
            _last_use(key, project, now, directory),
        )


def _last_use(
    key: Key, project: Project | None, now: datetime, directory: Directory
) -> datetime | Unknown | None:
    """Return the latest evidence of use. A day of usage counts to its end, in the key's favour."""
    told = key.last_used_at
    use = directory.uses.get(key.id) if directory.uses else None
    if use is None or (isinstance(told, datetime) and told >= use.last_day):
        return told
    if isinstance(use.requests, Unknown):
        return use.requests
    used_at = min(use.last_day + _DAY, now)
    since = earliest(key, project, now)
    if since and used_at < since:
        return Unknown(reason="usage reports a use before the key's creation")
    return used_at


def _owner_state(key: Key, user: User | None, directory: Directory) -> OwnerState | Unknown:
    """Derive the owner's state: the most serious one that is certain."""
    if key.project_access is _ACCESS:
        kind = key.owner.kind
        is_member = kind is _USER and user is not None and user.enabled is True
        if is_member or (kind is _SERVICE_ACCOUNT and directory.has_account(key)):
            return _ACTIVE  # fast path for nearly all keys
    return _gravest_state(key, user, directory)


def _gravest_state(key: Key, user: User | None, directory: Directory) -> OwnerState | Unknown:
    kind, owner_id = key.owner.kind, key.owner.id
    if isinstance(kind, Unknown):
        return Unknown(reason=kind.reason)
    possible = _USER_STATES if kind is OwnerKind.USER else _SERVICE_ACCOUNT_STATES
    if key.project_access is ProjectAccess.INACTIVE:
        possible -= {OwnerState.ACTIVE}
    elif not isinstance(key.project_access, Unknown):
        possible -= {OwnerState.NO_PROJECT_ACCESS}
    if isinstance(owner_id, Unknown):
        return Unknown(reason=owner_id.reason, possible=possible)
    if kind is OwnerKind.USER or key.kind is KeyKind.ADMIN:
        return _member_state(key, user, possible, directory)
    if directory.has_account(key):
        return _access_state(key)
    reason = _why_accounts_unseen(key, directory)
    if reason is not None:
        return _account_state(key, Unknown(reason=reason, possible=possible))
    return _gone(key, OwnerState.SERVICE_ACCOUNT_MISSING)


def _account_state(key: Key, unseen: Unknown) -> OwnerState | Unknown:
    """Derive the state without a listing: an owner with access to the project exists."""
    return OwnerState.ACTIVE if key.project_access is ProjectAccess.ACTIVE else unseen


def _gone(key: Key, state: OwnerState) -> OwnerState | Unknown:
    """Return `state` for an owner who is in no listing, unless the key's record shows access.

    Then either can be wrong: the owner may have joined while the listing was collected.
    """
    if key.project_access is not ProjectAccess.ACTIVE:
        return state
    reason = "the key's record shows access to the project for its owner, who is in no listing"
    return Unknown(reason=reason, possible=frozenset({OwnerState.ACTIVE, state}))


def _why_accounts_unseen(key: Key, directory: Directory) -> str | None:
    reason = directory.why_unseen(Collection.SERVICE_ACCOUNTS, key.project_id)
    project = directory.projects.get(key.project_id or "")
    if reason is not None and project and project.state is ProjectState.ARCHIVED:
        return "the API does not list the service accounts of archived projects"
    return reason


def _member_state(
    key: Key, user: User | None, possible: frozenset[OwnerState], directory: Directory
) -> OwnerState | Unknown:
    """Derive the state of an owner who should be in the list of the organization's users."""
    if user is None:
        if key.owner.kind is OwnerKind.SERVICE_ACCOUNT:
            reason = "the API does not list the service accounts that own admin keys"
            return Unknown(reason=reason, possible=possible)
        reason_unseen = directory.why_unseen(Collection.USERS)
        if reason_unseen is not None:
            return Unknown(reason=reason_unseen, possible=possible)
        return _gone(key, OwnerState.LEFT_ORG)
    if user.enabled is False:
        return OwnerState.DISABLED
    access = _access_state(key)
    if isinstance(user.enabled, Unknown):
        still = {access} if isinstance(access, OwnerState) else access.possible
        return Unknown(
            reason=user.enabled.reason, possible=frozenset({OwnerState.DISABLED, *still})
        )
    return access


def _access_state(key: Key) -> OwnerState | Unknown:
    """Derive the state of an owner who exists and is enabled."""
    match key.project_access:
        case Unknown(reason=reason):
            return Unknown(
                reason=reason,
                possible=frozenset({OwnerState.ACTIVE, OwnerState.NO_PROJECT_ACCESS}),
            )
        case ProjectAccess.INACTIVE:
            return OwnerState.NO_PROJECT_ACCESS
        case ProjectAccess.ACTIVE | None:
            return OwnerState.ACTIVE
