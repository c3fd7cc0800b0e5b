"""The data of one organization that a scan collected, and its gaps."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter

from scanner.collection import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A value that could not be determined, and why.

    `where` is the endpoint and record of an invalid field, so that equal reasons of many records
    can be grouped. `possible` are the values it can still have; empty: any. A number is `at_least`
    its collected part.
    """

    reason: str
    possible: frozenset[str] = frozenset()
    where: str = ""
    at_least: int | Decimal | None = None

    def __str__(self) -> str:
        """Return the reason with its place: `created_at is null (GET /..., key_1)`."""
        return f"{self.reason} ({self.where})" if self.where else self.reason


class KeyKind(StrEnum):
    """Project keys call the models; admin keys administer the organization."""

    PROJECT = "project"
    ADMIN = "admin"


class KeyState(StrEnum):
    """Whether a key can be used: DISABLED can be enabled again, EXPIRED cannot."""

    LIVE = "live"
    DISABLED = "disabled"
    EXPIRED = "expired"


class ProjectState(StrEnum):
    """The state of a project."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class OwnerKind(StrEnum):
    """A key belongs to a person or to a service account."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"


class ProjectAccess(StrEnum):
    """Whether a key's owner still has access to the key's project."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class CoverageState(StrEnum):
    """How much of a listing was collected."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    UNAVAILABLE = "unavailable"

    @classmethod
    def _missing_(cls, value: object) -> "CoverageState | None":
        """Read `gone`, which older snapshots have for a project that returned 404: a gap."""
        return cls.UNAVAILABLE if value == "gone" else None


Invalid = tuple[tuple[str, Unknown], ...]
"""Text fields that are None because the API returned no valid text, each with the reason."""


def text_of(record: "Key | Owner | Project | User", field: str) -> str | Unknown | None:
    """Return a text field of a record: Unknown if it was not valid, None if it was absent."""
    for name, unknown in record.invalid:
        if name == field:
            return unknown
    value: str | None = getattr(record, field)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project; `state` is Unknown if the API returned none that is known."""

    id: str
    name: str | None
    state: ProjectState | Unknown
    created_at: datetime | Unknown
    invalid: Invalid = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A key's owner as in the key's own record, including `role`."""

    kind: OwnerKind | Unknown
    id: str | Unknown
    name: str | None
    email: str | None
    role: str | None
    invalid: Invalid = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key. A date is None if the event never happened or never will.

    `kind` is Unknown if it could be either. `project_id` and `project_access` are None if the key
    was not listed in a project.
    """

    id: str
    kind: KeyKind | Unknown
    name: str | None
    redacted_value: str
    created_at: datetime | Unknown
    last_used_at: datetime | Unknown | None
    expires_at: datetime | Unknown | None
    owner: Owner
    project_id: str | None
    project_access: ProjectAccess | Unknown | None
    invalid: Invalid = ()

    def state(self, now: datetime) -> KeyState | Unknown:
        """Return whether the key can be used at `now`; no provider reports disabled keys yet."""
        if isinstance(self.expires_at, Unknown):
            possible = frozenset({KeyState.LIVE.value, KeyState.EXPIRED.value})
            return Unknown(reason=self.expires_at.reason, possible=possible)
        is_expired = self.expires_at is not None and self.expires_at <= now
        return KeyState.EXPIRED if is_expired else KeyState.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A member of the organization; `enabled` is False for a disabled or banned one.

    `key_last_used_at` is the last use of any of the user's keys, listed or not; None: never.
    """

    id: str
    name: str | None
    email: str | None
    role: str | None
    enabled: bool | Unknown
    key_last_used_at: datetime | Unknown | None = None
    invalid: Invalid = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A service account of one project."""

    id: str
    project_id: str
    name: str | None = None


class AuditKind(StrEnum):
    """The events of the audit log that concern a key or its owner."""

    KEY_CREATED = "api_key.created"
    KEY_UPDATED = "api_key.updated"
    ACCOUNT_CREATED = "service_account.created"
    USER_DELETED = "user.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event; `subject_id` is the key's, account's or user's, `actor` an address or an id.

    `scopes` are those that the event granted to the key; an empty tuple: all; None: not in the
    event.
    """

    kind: AuditKind
    subject_id: str
    at: datetime | Unknown
    actor: str | None
    scopes: tuple[str, ...] | Unknown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """The requests of one key within 30 days; `last_day` is the start of its last day of use."""

    key_id: str
    requests: int | Unknown
    last_day: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCost:
    """The cost of one key within 30 days; Unknown if one of its amounts was not valid."""

    key_id: str
    usd: Decimal | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The coverage of one listing; `project_id` is None for one of the whole organization."""

    collection: Collection
    project_id: str | None
    endpoint: str
    pages: int
    items: int
    state: CoverageState
    reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """One organization as one scan collected it. Every key is in it once.

    `organization` is its name in the API's responses, or None. `events` are newest first, as the
    log lists them. `absent_since` has, for each missing owner, the first complete listing of users
    without them. `ambiguous` are ids listed for several keys. `clock_ahead` is how far this
    machine's clock was ahead of the API's, None if no response had a date.
    """

    organization: str | None
    projects: tuple[Project, ...]
    keys: tuple[Key, ...]
    users: tuple[User, ...]
    service_accounts: tuple[ServiceAccount, ...]
    coverage: tuple[Coverage, ...]
    uses: tuple[KeyUse, ...] = ()
    costs: tuple[KeyCost, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    absent_since: tuple[tuple[str, datetime], ...] = ()
    ambiguous: tuple[str, ...] = ()
    clock_ahead: timedelta | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its projects and keys, which are unique to the provider."""
        projects = {project.id for project in self.projects}
        return frozenset(projects.union(key.id for key in self.keys))


def oldest_first(events: Iterable[AuditEvent]) -> list[AuditEvent]:
    """Return events, given newest first, in the order in which they happened.

    Those of one second keep the order of the log, and so does one whose date is Unknown.
    """
    last = datetime.min.replace(tzinfo=UTC)
    placed: list[tuple[datetime, AuditEvent]] = []
    for event in reversed(tuple(events)):
        last = last if isinstance(event.at, Unknown) else event.at
        placed.append((last, event))
    return [event for _, event in sorted(placed, key=itemgetter(0))]


def is_complete(coverage: Iterable[Coverage]) -> bool:
    """Whether every requested listing was collected completely."""
    return all(listing.state is CoverageState.COMPLETE for listing in coverage)
