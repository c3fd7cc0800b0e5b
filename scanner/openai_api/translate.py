"""Wire models -> inventory: a missing or invalid value becomes Unknown, with the reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from scanner.inventory import (
    AuditEvent,
    AuditKind,
    Invalid,
    Key,
    KeyKind,
    Owner,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    ServiceAccount,
    Unknown,
    User,
)
from scanner.openai_api.wire import (
    MISSING,
    WireActor,
    WireAdminKey,
    WireAuditEvent,
    WireKeyOwner,
    WireKeyOwnerEntry,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
    WireUserDetails,
)
from scanner.secret import redact

_OWNER_KINDS: Final = {kind.value: kind for kind in OwnerKind}
_ACCESS: Final[dict[str, ProjectAccess | Unknown]] = {kind.value: kind for kind in ProjectAccess}
_ACCESS_MISSING: Final = Unknown(
    reason="the API did not return whether the owner has access to the project"
)
_SHOWN: Final = 60
"""Characters shown of an unknown value."""
_ADMIN_PREFIX: Final = "sk-admin"
_NO_OWNER: Final = Unknown(reason="the API did not return the key's owner")


class Flaws(NamedTuple):
    """The invalid fields of one record: reasons by path; `where`: endpoint and id."""

    fields: Mapping[str, str] = MappingProxyType({})
    where: str = ""

    def of(self, path: str) -> Unknown | None:
        """Return why a field is unknown if it, or an object that contains it, is invalid."""
        while self.fields and path:
            if path in self.fields:
                return Unknown(reason=f"{path} {self.fields[path]}", where=self.where)
            path = path.rpartition(".")[0]
        return None

    def texts(self, fields: Mapping[str, str]) -> Invalid:
        """Return the invalid text fields; `fields` maps each field to its path."""
        if not self.fields:
            return ()
        found = [(name, self.of(path)) for name, path in fields.items()]
        return tuple((name, unknown) for name, unknown in found if unknown)


VALID: Final = Flaws()


def to_project(wire: WireProject, flaws: Flaws = VALID) -> Project:
    """Translate a project; an unknown status makes its state Unknown."""
    state: ProjectState | Unknown
    if wire.status in tuple(ProjectState):
        state = ProjectState(wire.status)
    elif wire.archived_at is not None:
        state = ProjectState.ARCHIVED
    else:
        state = flaws.of("status") or _not_known("the project's status", wire.status)
    return Project(
        id=wire.id,
        name=_name(wire.name),
        state=state,
        created_at=_created(wire.created_at, flaws),
        invalid=flaws.texts({"name": "name"}),
    )


def to_user(wire: WireUser, flaws: Flaws = VALID) -> User:
    """Translate a user; the outer name and address take precedence over the inner."""
    details = wire.user or WireUserDetails()
    name, email = wire.name or details.name, wire.email or details.email
    invalid = flaws.texts({"name": "name", "email": "email", "role": "role"})
    return User(
        id=wire.id,
        name=_name(name),
        email=_name(email),
        role=wire.role,
        enabled=_enabled(details, flaws),
        key_last_used_at=_moment("api_key_last_used_at", wire.api_key_last_used_at, flaws),
        invalid=tuple(
            (field, unknown)
            for field, unknown in invalid
            if not (field == "name" and name) and not (field == "email" and email)
        ),
    )


def to_service_account(wire: WireServiceAccount, project_id: str) -> ServiceAccount:
    """Translate a service account of one project."""
    return ServiceAccount(id=wire.id, project_id=project_id, name=_name(wire.name))


def to_project_key(wire: WireProjectKey, project_id: str, flaws: Flaws = VALID) -> Key:
    """Translate a key of one project."""
    access = _ACCESS.get(wire.owner_project_access or "")
    return Key(
        id=wire.id,
        kind=KeyKind.PROJECT,
        name=_name(wire.name),
        redacted_value=redact(wire.redacted_value),
        created_at=_created(wire.created_at, flaws),
        last_used_at=_moment("last_used_at", wire.last_used_at, flaws),
        expires_at=_moment("expires_at", wire.expires_at, flaws),
        owner=_owner(wire.owner or WireKeyOwner(), flaws),
        project_id=project_id,
        project_access=access or flaws.of("owner_project_access") or _ACCESS_MISSING,
        invalid=_key_texts(wire, flaws),
    )


def to_admin_key(wire: WireAdminKey, flaws: Flaws = VALID) -> Key:
    """Translate a key of the admin listing; `owner.type`, or else `owner.object`, is its kind.

    The listing can contain other keys: only the redacted value identifies an admin key.
    """
    owner = wire.owner
    named = (owner.type or (owner.object or "").rpartition(".")[2]) if owner else None
    is_admin = wire.redacted_value.startswith(_ADMIN_PREFIX)
    unlike = Unknown(
        reason="its value does not start with sk-admin, and it is not listed in any project"
    )
    return Key(
        id=wire.id,
        kind=KeyKind.ADMIN if is_admin else flaws.of("redacted_value") or unlike,
        name=_name(wire.name),
        redacted_value=redact(wire.redacted_value),
        created_at=_created(wire.created_at, flaws),
        last_used_at=_moment("last_used_at", wire.last_used_at, flaws),
        expires_at=_moment("expires_at", wire.expires_at, flaws),
        owner=Owner(
            kind=_owner_kind(named, flaws),
            id=(owner and owner.id) or flaws.of("owner.id") or _NO_OWNER,
            name=_name(owner.name) if owner else None,
            email=None,
            role=owner.role if owner else None,
            invalid=flaws.texts({"name": "owner.name", "role": "owner.role"}),
        ),
        project_id=None,
        project_access=None,
        invalid=_key_texts(wire, flaws),
    )


def to_event(wire: WireAuditEvent, flaws: Flaws = VALID) -> AuditEvent | None:
    """Translate an event about a key or its owner; None if it names neither."""
    details = wire.key_created or wire.key_updated or wire.account_created or wire.user_deleted
    if wire.type not in tuple(AuditKind) or details is None or details.id is None:
        return None
    given = details.data or details.changes_requested
    scopes = flaws.of(f"{wire.type}.data.scopes")
    scopes = scopes or flaws.of(f"{wire.type}.changes_requested.scopes")
    at = flaws.of("effective_at") or Unknown(reason="the API did not return effective_at")
    return AuditEvent(
        kind=AuditKind(wire.type),
        subject_id=details.id,
        at=at if wire.effective_at == MISSING else _date(wire.effective_at),
        actor=_name(_actor(wire.actor)),
        scopes=scopes or (given.scopes if given else None),
    )


def is_lost(wire: WireAuditEvent, flaws: Flaws) -> bool:
    """Return whether an event may be about a key but cannot be assigned to one."""
    if flaws.of("type") or not wire.type:
        return True
    details = wire.key_created or wire.key_updated
    about_a_key = wire.type in {AuditKind.KEY_CREATED, AuditKind.KEY_UPDATED}
    return about_a_key and (details is None or details.id is None)


def _enabled(details: WireUserDetails, flaws: Flaws) -> bool | Unknown:
    if details.enabled is False or details.banned or details.banned_at is not None:
        return False
    flaw = flaws.of("user.enabled") or flaws.of("user.banned")
    if details.banned is None:
        flaw = flaw or flaws.of("user.banned_at")
    if flaw:
        return flaw
    if details.enabled:
        return True
    return Unknown(reason="the API did not return whether the user is enabled")


def _actor(actor: WireActor | None) -> str | None:
    """Return the actor's address, or else id; for a key, those of its owner."""
    if actor is None:
        return None
    by_key = actor.api_key
    entries = (
        actor.session.user if actor.session else None,
        by_key.user if by_key else None,
        by_key.service_account if by_key else None,
    )
    named = (entry.email or entry.id for entry in entries if entry)
    return next((name for name in named if name), by_key.id if by_key else None)


def _owner_kind(named: str | None, flaws: Flaws = VALID) -> OwnerKind | Unknown:
    kind = _OWNER_KINDS.get(named or "")
    if kind is not None:
        return kind
    return flaws.of("owner.type") or _not_known("the owner's type", named)


def _not_known(what: str, value: str | None) -> Unknown:
    """Return Unknown for a missing value, or one that is not in OpenAI's specification."""
    if value is None:
        return Unknown(reason=f"the API did not return {what}")
    return Unknown(reason=f"{what} is not a known value", where=repr(value[:_SHOWN]))


def _owner(wire: WireKeyOwner, flaws: Flaws) -> Owner:
    kind = wire.type
    is_account = kind == OwnerKind.SERVICE_ACCOUNT
    entry = wire.service_account if is_account else wire.user
    if not flaws.fields and entry is not None and entry.id is not None:
        return _same_owner(kind, entry.id, entry.name, entry.email, entry.role)
    path = "owner.service_account" if is_account else "owner.user"
    entry = entry or WireKeyOwnerEntry()
    return Owner(
        kind=_owner_kind(kind, flaws),
        id=entry.id or flaws.of(f"{path}.id") or _NO_OWNER,
        name=_name(entry.name),
        email=_name(entry.email),
        role=entry.role,
        invalid=flaws.texts({name: f"{path}.{name}" for name in ("name", "email", "role")}),
    )


@lru_cache(maxsize=4096)
def _same_owner(
    kind: str | None, owner_id: str, name: str | None, email: str | None, role: str | None
) -> Owner:
    """Return one shared value for all keys of an owner: many keys have the same owner."""
    return Owner(
        kind=_owner_kind(kind), id=owner_id, name=_name(name), email=_name(email), role=role
    )


def _key_texts(wire: WireProjectKey | WireAdminKey, flaws: Flaws) -> Invalid:
    found = flaws.texts({"name": "name", "redacted_value": "redacted_value"})
    if isinstance(wire, WireProjectKey) and "name" not in wire.model_fields_set and not found:
        return (("name", Unknown(reason="the API did not return name")),)
    return found


def _name(text: str | None) -> str | None:
    """Mask a key or token that was entered as a name."""
    return None if text is None else redact(text)


def _created(seconds: int, flaws: Flaws) -> datetime | Unknown:
    moment = _moment("created_at", seconds, flaws)
    return Unknown(reason="the API did not return created_at") if moment is None else moment


def _moment(field: str, seconds: int | None, flaws: Flaws) -> datetime | Unknown | None:
    """Distinguish null (never) from a missing or invalid value (Unknown)."""
    if seconds is not None and seconds != MISSING:
        return _date(seconds)
    flaw = flaws.of(field)
    if flaw is None and seconds is None:
        return None
    return flaw or Unknown(reason=f"the API did not return {field}")


def _date(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
