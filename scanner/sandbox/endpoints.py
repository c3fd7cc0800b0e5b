"""The responses of the Administration API's endpoints for the organization's state."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from scanner.sandbox.activity import audit_entries, usage_page
from scanner.sandbox.organization import (
    Account,
    AdminKey,
    ProjectKey,
    SandboxOrganization,
    SandboxProject,
)
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.render import (
    Body,
    account_body,
    admin_key_body,
    audit_body,
    key_body,
    member_body,
    project_body,
    project_member_body,
)
from scanner.sandbox.request import Refusal, Request

READ_SCOPE: Final = "api.management.read"
WRITE_SCOPE: Final = "api.management.write"
USAGE_SCOPE: Final = "api.usage.read"
AUDIT_SCOPE: Final = "api.audit_logs.read"
MAX_EXPIRY: Final = 31_536_000

Entry = TypeVar("Entry")
Item = TypeVar("Item")


def scope_of(request: Request) -> str:
    """Return the scope that a request requires."""
    match request.method, *request.segments:
        case "GET", "organization", "usage" | "costs", *_:
            return USAGE_SCOPE
        case "GET", "organization", "audit_logs":
            return AUDIT_SCOPE
        case "GET", *_:
            return READ_SCOPE
        case _:
            return WRITE_SCOPE


def answer(  # noqa: PLR0911 - one for each endpoint
    organization: SandboxOrganization, request: Request, now: int
) -> Body:
    """Return the response body; raise Refusal for an error status. `now` is Unix seconds."""
    match request.method, *request.segments:
        case "GET", "organization", "projects":
            return _projects(organization, request)
        case "GET", "organization", "projects", project_id:
            return project_body(_project(organization, project_id))
        case "GET", "organization", "users":
            return _users(organization, request)
        case "GET", "organization", "users", user_id:
            return member_body(_found(organization.members, user_id, "user"))
        case "GET", "organization", "usage", what:
            return usage_page(organization, request, what, now)
        case "GET", "organization", "costs":
            return usage_page(organization, request, "costs", now)
        case "GET", "organization", "audit_logs":
            entries = audit_entries(organization, request)
            return _page(entries, request, lambda entry: entry.id, audit_body)
        case _, "organization", "admin_api_keys", *rest:
            return _admin_keys(organization, request, rest)
        case _, "organization", "projects", project_id, *rest:
            return _in_project(organization, _project(organization, project_id), request, rest, now)
        case _:
            raise _no_such_url(request)


def _in_project(
    organization: SandboxOrganization,
    project: SandboxProject,
    request: Request,
    rest: Sequence[str],
    now: int,
) -> Body:
    match request.method, *rest:
        case "GET", "api_keys":
            return _project_keys(organization, project, request)
        case _, "api_keys", key_id:
            return _one_key(organization, project, request, key_id, now)
        case "GET", "service_accounts":
            _refuse_archived(project)
            return _page(
                project.accounts.values(), request, lambda account: account.id, account_body
            )
        case "GET", "service_accounts", account_id:
            return account_body(_found(project.accounts, account_id, "service account"))
        case "GET", "users", *user:
            _refuse_archived(project)
            return _project_users(organization, project, request, user)
        case _:
            raise _no_such_url(request)


def _projects(organization: SandboxOrganization, request: Request) -> Body:
    """List projects; archived ones only if requested."""
    with_archived = request.flag("include_archived")
    listed = [
        project
        for project in organization.projects.values()
        if with_archived or project.archived_at is None
    ]
    return _page(listed, request, lambda project: project.id, project_body)


def _users(organization: SandboxOrganization, request: Request) -> Body:
    emails = request.many("emails")
    listed = [
        member for member in organization.members.values() if not emails or member.email in emails
    ]
    return _page(listed, request, lambda member: member.id, member_body)


def _project_keys(
    organization: SandboxOrganization, project: SandboxProject, request: Request
) -> Body:
    """List keys; keys of owners without access only if requested."""
    access = request.choice("owner_project_access", "active", "inactive", "any") or "active"
    listed = [
        key
        for key in project.keys.values()
        if access == "any" or organization.owner_has_access(project, key) is (access == "active")
    ]
    return _page(
        listed, request, lambda key: key.id, lambda key: key_body(organization, project, key)
    )


def _project_users(
    organization: SandboxOrganization,
    project: SandboxProject,
    request: Request,
    rest: Sequence[str],
) -> Body:
    members = {
        user_id: (organization.members[user_id], role)
        for user_id, role in project.roles.items()
        if user_id in organization.members
    }
    match rest:
        case ():
            entries = members.values()
            return _page(entries, request, lambda e: e[0].id, lambda e: project_member_body(*e))
        case (user_id,):
            return project_member_body(*_found(members, user_id, "user"))
        case _:
            raise _no_such_url(request)


def _one_key(
    organization: SandboxOrganization,
    project: SandboxProject,
    request: Request,
    key_id: str,
    now: int,
) -> Body:
    key = _found(project.keys, key_id, "API key")
    match request.method:
        case "GET":
            return key_body(organization, project, key)
        case "POST":
            change = _key_change(request.json())
            if key.expires_at is not None and key.expires_at <= now:
                raise Refusal(400, "Expired API keys cannot be updated.", code="api_key_expired")
            if "expires_in_seconds" in change:
                key.expires_at = now + change["expires_in_seconds"]
            if "scopes" in change:
                key.scopes = tuple(change["scopes"])
            organization.note("api_key.updated", now, None, id=key_id, changes_requested=change)
            return key_body(organization, project, key)
        case "DELETE":
            if isinstance(key.owner, Account) and Quirk.OLD_DELETE in organization.quirks:
                raise Refusal(400, "This API key belongs to a service account.")
            del project.keys[key_id]
            organization.note("api_key.deleted", now, None, id=key_id)
            return {"object": "organization.project.api_key.deleted", "id": key_id, "deleted": True}
        case _:
            raise _no_such_url(request)


def _key_change(body: Any) -> Body:  # noqa: ANN401 - any JSON
    """Validate a change of a key: an expiry in seconds from now, scopes, or both; not null."""
    if not isinstance(body, dict) or not body.keys() & {"expires_in_seconds", "scopes"}:
        raise Refusal(400, "Provide at least one of 'scopes' or 'expires_in_seconds'.")
    if "expires_in_seconds" in body:
        seconds = body["expires_in_seconds"]
        if type(seconds) is not int or not 1 <= seconds <= MAX_EXPIRY:
            raise Refusal(
                400,
                f"Invalid 'expires_in_seconds': expected an integer from 1 to {MAX_EXPIRY}.",
                param="expires_in_seconds",
            )
    scopes = body.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise Refusal(400, "Invalid 'scopes': expected an array of strings.", param="scopes")
    return body


def _admin_keys(organization: SandboxOrganization, request: Request, rest: Sequence[str]) -> Body:
    match request.method, *rest:
        case ("GET",):
            listed: list[AdminKey | ProjectKey] = [*organization.admin_keys.values()]
            if Quirk.MISLABELLED in organization.quirks:
                listed.extend(next(iter(organization.projects.values())).keys.values())
            if request.choice("order", "asc", "desc") == "desc":
                listed.reverse()
            return _page(listed, request, lambda key: key.id, admin_key_body)
        case "GET", key_id:
            return admin_key_body(_found(organization.admin_keys, key_id, "admin API key"))
        case "DELETE", key_id:
            _found(organization.admin_keys, key_id, "admin API key")
            del organization.admin_keys[key_id]
            return {"object": "organization.admin_api_key.deleted", "id": key_id, "deleted": True}
        case _:
            raise _no_such_url(request)


def _page(
    entries: Iterable[Entry],
    request: Request,
    id_of: Callable[[Entry], str],
    body_of: Callable[[Entry], Body],
) -> Body:
    """Return one page of a listing: the items that follow `after`, at most `limit`."""
    limit = request.limit()
    listed = list(entries)
    start = 0
    after = request.one("after")
    if after is not None:
        places = (place for place, entry in enumerate(listed) if id_of(entry) == after)
        place = next(places, None)
        if place is None:
            raise Refusal(400, f"Invalid cursor: no item with id '{after}'.", param="after")
        start = place + 1
    shown = listed[start : start + limit]
    return {
        "object": "list",
        "data": [body_of(entry) for entry in shown],
        "first_id": id_of(shown[0]) if shown else None,
        "last_id": id_of(shown[-1]) if shown else None,
        "has_more": start + limit < len(listed),
    }


def _project(organization: SandboxOrganization, project_id: str) -> SandboxProject:
    return _found(organization.projects, project_id, "project")


def _found(entries: dict[str, Item], item_id: str, what: str) -> Item:
    if item_id in entries:
        return entries[item_id]
    raise Refusal(404, f"No {what} with id '{item_id}' was found.", code="not_found")


def _refuse_archived(project: SandboxProject) -> None:
    if project.archived_at is not None:
        raise Refusal(400, f"Project '{project.id}' is archived.", code="project_archived")


def _no_such_url(request: Request) -> Refusal:
    return Refusal(404, f"Invalid URL ({request.method} {request.path})")
