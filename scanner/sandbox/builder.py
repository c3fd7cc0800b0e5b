"""Builds fictitious organizations, with ids and redacted values in the API's formats."""

import random
import string
from typing import Final

from scanner.sandbox.organization import (
    DAY,
    Account,
    AdminKey,
    Member,
    ProjectKey,
    SandboxOrganization,
    SandboxProject,
)

_ENDPOINTS: Final = ("completions", "completions", "embeddings", "images")
_ALPHABET: Final = string.ascii_letters + string.digits


class Builder:
    """Adds objects to one organization. Ages are in days before `now` (Unix seconds)."""

    def __init__(self, name: str, *, seed: int, now: int) -> None:
        self.organization = SandboxOrganization(name=name)
        self.random = random.Random(seed)  # noqa: S311 - fictitious data
        self.now = now

    def member(self, name: str, *, age: float = 500, role: str = "reader") -> Member:
        """Add a user of the organization."""
        address = "".join(c for c in name.lower().replace(" ", ".") if c.isalnum() or c == ".")
        member = Member(
            id=self._id("user-", 24),
            name=name,
            email=f"{address}@example.com",
            role=role,
            added_at=self._before(age),
        )
        self.organization.members[member.id] = member
        return member

    def leave(self, member: Member) -> None:
        """Remove a user from the organization and its projects; the user's keys remain."""
        del self.organization.members[member.id]
        for project in self.organization.projects.values():
            project.roles.pop(member.id, None)

    def project(
        self, name: str, *members: Member, age: float = 400, archived: float | None = None
    ) -> SandboxProject:
        """Add a project with members; `archived` is the number of days since its archiving."""
        project = SandboxProject(
            id=self._id("proj_", 24),
            name=name,
            created_at=self._before(age),
            archived_at=None if archived is None else self._before(archived),
            roles={member.id: "member" for member in members},
        )
        self.organization.projects[project.id] = project
        return project

    def account(self, project: SandboxProject, name: str, *, age: float = 100) -> Account:
        """Add a service account to a project."""
        account = Account(
            id=self._id("svc_acct_", 20), name=name, role="member", created_at=self._before(age)
        )
        project.accounts[account.id] = account
        creator = next(iter(self.organization.members.values()), None)
        self.organization.note(
            "service_account.created",
            account.created_at,
            creator,
            id=account.id,
            data={"role": account.role},
        )
        return account

    def key(  # noqa: PLR0913 - the properties of a key
        self,
        project: SandboxProject,
        owner: Member | Account,
        name: str,
        *,
        age: float,
        used: float | None,
        expires: float | None,
    ) -> ProjectKey:
        """Add a key: its age, days since its last use (None: never), days until its expiry.

        The project's age is raised to that of the key.
        """
        prefix = "sk-svcacct-" if isinstance(owner, Account) else "sk-proj-"
        key = ProjectKey(
            id=self._id("key_", 16),
            name=name,
            redacted_value=self._redacted(prefix),
            created_at=self._before(age),
            owner=owner,
            last_used_at=None if used is None else self._before(used),
            expires_at=None if expires is None else self._before(-expires),
        )
        project.created_at = min(project.created_at, key.created_at)
        project.keys[key.id] = key
        if isinstance(owner, Member):
            owner.use_key(key.last_used_at)
        self._remember(key)
        return key

    def _remember(self, key: ProjectKey) -> None:
        """Add a key's creation to the audit log, and its last use to the usage."""
        organization = self.organization
        number = len(organization.audit_log)
        creator = key.owner if isinstance(key.owner, Member) else None
        data = {"scopes": list(key.scopes)}
        organization.note("api_key.created", key.created_at, creator, id=key.id, data=data)
        if key.last_used_at is not None:
            endpoint = _ENDPOINTS[number % len(_ENDPOINTS)]
            requests = 1 + 37 * number % 500
            usd = requests / 100
            organization.record_use(key.id, key.last_used_at, endpoint, requests, usd)

    def admin_key(
        self,
        owner: Member | Account,
        name: str,
        *,
        age: float,
        used: float | None,
        expires: float | None,
    ) -> AdminKey:
        """Add an admin key."""
        key = AdminKey(
            id=self._id("key_", 16),
            name=name,
            redacted_value=self._redacted("sk-admin-"),
            created_at=self._before(age),
            owner=owner,
            last_used_at=None if used is None else self._before(used),
            expires_at=None if expires is None else self._before(-expires),
        )
        self.organization.admin_keys[key.id] = key
        if isinstance(owner, Member):
            owner.use_key(key.last_used_at)
        details = {"id": key.id, "data": {"scopes": []}}
        creator = owner if isinstance(owner, Member) else None
        self.organization.note("api_key.created", key.created_at, creator, **details)
        return key

    def _before(self, days: float) -> int:
        return self.now - round(days * DAY)

    def _id(self, prefix: str, length: int) -> str:
        return prefix + "".join(self.random.choices(_ALPHABET, k=length))

    def _redacted(self, prefix: str) -> str:
        shown = "".join(self.random.choices(_ALPHABET, k=8))
        return f"{prefix}{shown[:4]}...{shown[4:]}"
