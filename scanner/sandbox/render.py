"""The sandbox's state -> the JSON bodies of the Administration API."""

from typing import Any, Final

from scanner.sandbox.organization import (
    Account,
    AdminKey,
    AuditEntry,
    Member,
    ProjectKey,
    SandboxOrganization,
    SandboxProject,
)

Body = dict[str, Any]

_UNPROMISED: Final = {
    "list": {"first_id", "last_id"},
    "organization.project": {"name", "archived_at", "status"},
    "organization.user": {"name", "email", "role", "user"},
    "organization.project.api_key": {"expires_at"},
    "organization.admin_api_key": {"name", "last_used_at"},
}
"""Fields that a scan reads and OpenAI's specification does not require."""


def sparse(body: Body) -> Body:
    """Omit the optional fields of an object, or of a page and its items."""
    left_out = _UNPROMISED.get(str(body.get("object")), set())
    kept = {name: value for name, value in body.items() if name not in left_out}
    if kept.get("object") == "list":
        kept["data"] = [sparse(item) for item in kept["data"]]
    return kept


def project_body(project: SandboxProject) -> Body:
    """`organization.project`."""
    return {
        "id": project.id,
        "object": "organization.project",
        "name": project.name,
        "created_at": project.created_at,
        "archived_at": project.archived_at,
        "status": "active" if project.archived_at is None else "archived",
    }


def member_body(member: Member) -> Body:
    """`organization.user`."""
    return {
        "object": "organization.user",
        "id": member.id,
        "name": member.name,
        "email": member.email,
        "role": member.role,
        "added_at": member.added_at,
        "created": member.added_at,
        "is_default": False,
        "is_service_account": False,
        "is_scim_managed": False,
        "api_key_last_used_at": member.key_used_at,
        "user": {
            "object": "user",
            "id": member.id,
            "name": member.name,
            "email": member.email,
            "picture": None,
            "enabled": member.enabled,
            "banned": member.banned_at is not None,
            "banned_at": member.banned_at,
        },
    }


def project_member_body(member: Member, role: str) -> Body:
    """`organization.project.user`."""
    return {
        "object": "organization.project.user",
        "id": member.id,
        "name": member.name,
        "email": member.email,
        "role": role,
        "added_at": member.added_at,
    }


def account_body(account: Account) -> Body:
    """`organization.project.service_account`."""
    return {
        "object": "organization.project.service_account",
        "id": account.id,
        "name": account.name,
        "role": account.role,
        "created_at": account.created_at,
    }


def key_body(organization: SandboxOrganization, project: SandboxProject, key: ProjectKey) -> Body:
    """`organization.project.api_key`; without the secret and the scopes."""
    has_access = organization.owner_has_access(project, key)
    return {
        "object": "organization.project.api_key",
        "redacted_value": key.redacted_value,
        "name": key.name,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "id": key.id,
        "owner_project_access": "active" if has_access else "inactive",
        "owner": _owner_body(project, key.owner),
    }


def _owner_body(project: SandboxProject, owner: Member | Account) -> Body:
    if isinstance(owner, Account):
        service_account = {
            "id": owner.id,
            "name": owner.name,
            "created_at": owner.created_at,
            "role": owner.role,
        }
        return {"type": "service_account", "service_account": service_account}
    user = {
        "id": owner.id,
        "email": owner.email,
        "name": owner.name,
        "created_at": owner.added_at,
        "role": project.roles.get(owner.id, "member"),
    }
    return {"type": "user", "user": user}


def admin_key_body(key: AdminKey | ProjectKey) -> Body:
    """`organization.admin_api_key`."""
    owner = key.owner
    is_account = isinstance(owner, Account)
    return {
        "object": "organization.admin_api_key",
        "id": key.id,
        "name": key.name,
        "redacted_value": key.redacted_value,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "owner": {
            "type": "service_account" if is_account else "user",
            "object": "organization.service_account" if is_account else "organization.user",
            "id": owner.id,
            "name": owner.name,
            "created_at": owner.created_at if isinstance(owner, Account) else owner.added_at,
            "role": owner.role,
        },
    }


def audit_body(entry: AuditEntry) -> Body:
    """`organization.audit_log`."""
    by = entry.actor
    if by is None:
        actor: Body = {"type": "api_key", "api_key": {"id": "key_sandbox", "type": "user"}}
    else:
        session = {"user": {"id": by.id, "email": by.email}, "ip_address": "192.0.2.7"}
        actor = {"type": "session", "session": session}
    return {
        "id": entry.id,
        "type": entry.type,
        "effective_at": entry.at,
        "actor": actor,
        entry.type: entry.details,
    }
