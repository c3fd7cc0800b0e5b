"""Wire models -> inventory: what the API left out becomes Unknown, with the reason."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from scanner.inventory import (
    AuditEvent,
    AuditKind,
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
    UNTOLD,
    WireActor,
    WireAdminKey,
    WireAuditEvent,
    WireKeyOwner,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)
from scanner.secret import redact

_OWNER_KINDS: Final = {kind.value: kind for kind in OwnerKind}
_ACCESS: Final[dict[str, ProjectAccess | Unknown]] = {kind.value: kind for kind in ProjectAccess}
_ACCESS_UNTOLD: Final = Unknown(
    reason="the API did not say whether the owner can reach the project"
)


def to_project(wire: WireProject) -> Project:
    """Translate a project; a status we do not know leaves its state unknown."""
    state: ProjectState | Unknown
    if wire.status in tuple(ProjectState):
        state = ProjectState(wire.status)
    elif wire.archived_at is not None:
        state = ProjectState.ARCHIVED
    else:
        state = Unknown(reason=f"the API gave the project the status {wire.status!r}")
    return Project(
        id=wire.id, name=_name(wire.name), state=state, created_at=_moment(wire.created_at)
    )


def to_user(wire: WireUser) -> User:
    """Translate a member of the organization; the outer name and address win over the inner."""
    details = wire.user
    enabled: bool | Unknown
    if details is not None and (
        details.enabled is False or details.banned or details.banned_at is not None
    ):
        enabled = False
    elif details is not None and details.enabled:
        enabled = True
    else:
        enabled = Unknown(reason="the API did not say whether the user is enabled")
    return User(
        id=wire.id,
        name=_name(wire.name or (details.name if details else None)),
        email=_name(wire.email or (details.email if details else None)),
        role=wire.role,
        enabled=enabled,
    )


def to_service_account(wire: WireServiceAccount, project_id: str) -> ServiceAccount:
    """Translate a service account of one project."""
    return ServiceAccount(id=wire.id, project_id=project_id)


def to_project_key(wire: WireProjectKey, project_id: str) -> Key:
    """Translate a key of one project."""
    access = _ACCESS.get(wire.owner_project_access or "", _ACCESS_UNTOLD)
    return Key(
        id=wire.id,
        kind=KeyKind.PROJECT,
        name=_name(wire.name),
        redacted_value=redact(wire.redacted_value),
        created_at=_moment(wire.created_at),
        last_used_at=_told("last_used_at", wire.last_used_at),
        expires_at=_told("expires_at", wire.expires_at),
        owner=_owner(wire.owner),
        project_id=project_id,
        project_access=access,
    )


def to_admin_key(wire: WireAdminKey, kind: KeyKind | Unknown = KeyKind.ADMIN) -> Key:
    """Translate an admin key; `owner.type` or else `owner.object` tells the owner's kind."""
    told = wire.owner.type or (wire.owner.object or "").rpartition(".")[2]
    return Key(
        id=wire.id,
        kind=kind,
        name=_name(wire.name),
        redacted_value=redact(wire.redacted_value),
        created_at=_moment(wire.created_at),
        last_used_at=_told("last_used_at", wire.last_used_at),
        expires_at=_told("expires_at", wire.expires_at),
        owner=Owner(
            kind=_owner_kind(told),
            id=wire.owner.id or Unknown(reason="the API did not say whose key it is"),
            name=_name(wire.owner.name),
            email=None,
            role=wire.owner.role,
        ),
        project_id=None,
        project_access=None,
    )


def to_event(wire: WireAuditEvent) -> AuditEvent | None:
    """Translate an event about a key or a service account; None if it names neither."""
    details = wire.key_created or wire.key_updated or wire.account_created
    if wire.type not in tuple(AuditKind) or details is None or details.id is None:
        return None
    given = details.data or details.changes_requested
    return AuditEvent(
        kind=AuditKind(wire.type),
        subject_id=details.id,
        at=_moment(wire.effective_at),
        actor=_name(_actor(wire.actor)),
        scopes=given.scopes if given else None,
    )


def _actor(actor: WireActor | None) -> str | None:
    """Return the address, or else the id, of whoever did it; of a key, its owner's."""
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


def _owner_kind(told: str | None) -> OwnerKind | Unknown:
    kind = _OWNER_KINDS.get(told or "")
    if kind is not None:
        return kind
    return Unknown(reason=f"the API gave the owner the type {told!r}")


def _owner(wire: WireKeyOwner) -> Owner:
    told = wire.type
    entry = wire.service_account if told == OwnerKind.SERVICE_ACCOUNT else wire.user
    if entry is None:
        kind = _owner_kind(told)
        unsaid = Unknown(reason="the API did not say whose key it is")
        return Owner(kind=kind, id=unsaid, name=None, email=None, role=None)
    return _same_owner(told, entry.id, entry.name, entry.email, entry.role)


@lru_cache(maxsize=4096)
def _same_owner(
    told: str | None, owner_id: str, name: str | None, email: str | None, role: str | None
) -> Owner:
    """Return one value for all keys of an owner: a walk meets the same ones again and again."""
    return Owner(
        kind=_owner_kind(told), id=owner_id, name=_name(name), email=_name(email), role=role
    )


def _name(text: str | None) -> str | None:
    """Mask a key or token that somebody pasted where a name belongs."""
    return None if text is None else redact(text)


def _told(field: str, seconds: int | None) -> datetime | Unknown | None:
    """Tell null (never) from absent (not told)."""
    if seconds is None:
        return None
    if seconds == UNTOLD:
        return Unknown(reason=f"the API did not give {field}")
    return _moment(seconds)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
