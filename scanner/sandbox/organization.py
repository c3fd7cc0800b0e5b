"""The sandbox's state: one fictitious organization that requests read and change.

All times are Unix seconds. Insertion order is listing order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from scanner.sandbox.quirk import Quirk

DAY: Final = 86_400


@dataclass(slots=True, kw_only=True)
class Member:
    """A user of the organization; `key_used_at` is the last use of any of the user's keys."""

    id: str
    name: str
    email: str
    role: str
    added_at: int
    enabled: bool = True
    banned_at: int | None = None
    key_used_at: int | None = None

    def use_key(self, at: int | None) -> None:
        """Record the use of a key of this user, listed or not."""
        if at is not None:
            self.key_used_at = max(at, self.key_used_at or at)


@dataclass(slots=True, kw_only=True)
class Account:
    """A service account of one project."""

    id: str
    name: str
    role: str
    created_at: int


@dataclass(slots=True, kw_only=True)
class ProjectKey:
    """A project's API key. Its owner is kept even after leaving the organization."""

    id: str
    name: str
    redacted_value: str
    created_at: int
    owner: Member | Account
    last_used_at: int | None = None
    expires_at: int | None = None
    scopes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class AdminKey:
    """An admin key of the organization."""

    id: str
    name: str | None
    redacted_value: str
    created_at: int
    owner: Member | Account
    last_used_at: int | None = None
    expires_at: int | None = None


@dataclass(slots=True, kw_only=True)
class SandboxProject:
    """A project with its keys, its service accounts and the roles of its members by user id."""

    id: str
    name: str
    created_at: int
    archived_at: int | None = None
    keys: dict[str, ProjectKey] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDay:
    """Usage and costs of one key on one day at one usage endpoint."""

    key_id: str
    endpoint: str
    requests: int
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of the audit log; `actor` None: an admin key. `details` in the API's format."""

    id: str
    type: str
    at: int
    actor: Member | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request for a change, and the status of its response."""

    method: str
    path: str
    body: Any
    status: int


@dataclass(slots=True, kw_only=True)
class SandboxOrganization:
    """The state that the sandbox serves, its quirks, and all write requests."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    projects: dict[str, SandboxProject] = field(default_factory=dict)
    admin_keys: dict[str, AdminKey] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    days: dict[int, list[KeyDay]] = field(default_factory=dict)
    audit_log: list[AuditEntry] = field(default_factory=list)
    quirks: frozenset[Quirk] = frozenset()

    def note(self, event: str, at: int, actor: Member | None, **details: Any) -> None:  # noqa: ANN401 - a JSON body
        """Add an event to the audit log."""
        entry = AuditEntry(
            id=f"audit_log-{len(self.audit_log):08d}",
            type=event,
            at=at,
            actor=actor,
            details=details,
        )
        self.audit_log.append(entry)

    def record_use(self, key_id: str, at: int, endpoint: str, requests: int, usd: float) -> None:
        """Add the use of a key on the day of `at` to the usage."""
        row = KeyDay(key_id=key_id, endpoint=endpoint, requests=requests, usd=usd)
        self.days.setdefault(at - at % DAY, []).append(row)

    def owner_has_access(self, project: SandboxProject, key: ProjectKey) -> bool:
        """Whether the key's owner still has access to the project."""
        if isinstance(key.owner, Account):
            return key.owner.id in project.accounts
        member = self.members.get(key.owner.id)
        return member is not None and member.enabled and key.owner.id in project.roles

    def project_keys(self) -> Iterator[tuple[SandboxProject, ProjectKey]]:
        """Yield every existing project key with its project."""
        for project in self.projects.values():
            for key in project.keys.values():
                yield project, key

    def key_count(self) -> int:
        """Return the number of existing keys, with admin keys, to compare scans with."""
        return len(self.admin_keys) + sum(1 for _ in self.project_keys())

    def hidden_key_count(self) -> int:
        """Return the number of keys that a listing without `owner_project_access=any` omits."""
        return sum(
            1 for project, key in self.project_keys() if not self.owner_has_access(project, key)
        )
