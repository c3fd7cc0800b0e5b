"""Values for tests: whole and unremarkable, but for what a test changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from scanner.inventory import (
    Collection,
    Coverage,
    CoverageState,
    Inventory,
    Key,
    KeyKind,
    Owner,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    ServiceAccount,
    User,
)
from scanner.policy.subject import Subject, subjects

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def an_owner(**changes: Any) -> Owner:
    values = {
        "kind": OwnerKind.USER,
        "id": "user-1",
        "name": "Ada Ito",
        "email": "ada@example.com",
        "role": "member",
    }
    return Owner(**(values | changes))


def a_key(**changes: Any) -> Key:
    values = {
        "id": "key_1",
        "kind": KeyKind.PROJECT,
        "name": "a key",
        "redacted_value": "sk-proj-abcd...wxyz",
        "created_at": ago(days=10),
        "last_used_at": ago(days=1),
        "expires_at": NOW + timedelta(days=20),
        "owner": an_owner(),
        "project_id": "proj_1",
        "project_access": ProjectAccess.ACTIVE,
    }
    return Key(**(values | changes))


def an_admin_key(**changes: Any) -> Key:
    values = {
        "id": "key_admin",
        "kind": KeyKind.ADMIN,
        "redacted_value": "sk-admin-abcd...wxyz",
        "owner": an_owner(email=None, role="owner"),
        "project_id": None,
        "project_access": None,
    }
    return a_key(**(values | changes))


def a_project(**changes: Any) -> Project:
    values = {
        "id": "proj_1",
        "name": "search",
        "state": ProjectState.ACTIVE,
        "created_at": ago(days=300),
    }
    return Project(**(values | changes))


def a_user(**changes: Any) -> User:
    values = {
        "id": "user-1",
        "name": "Ada Ito",
        "email": "ada@example.com",
        "role": "reader",
        "enabled": True,
    }
    return User(**(values | changes))


def an_account(**changes: Any) -> ServiceAccount:
    values = {"id": "svc_1", "project_id": "proj_1", "name": "bot", "role": "member"}
    return ServiceAccount(**(values | changes))


def a_listing(collection: Collection, **changes: Any) -> Coverage:
    values = {
        "collection": collection,
        "project_id": None,
        "endpoint": f"GET /organization/{collection.value}",
        "pages": 1,
        "items": 1,
        "state": CoverageState.COMPLETE,
    }
    return Coverage(**(values | changes))


def a_gap(collection: Collection, **changes: Any) -> Coverage:
    values = {
        "state": CoverageState.UNAVAILABLE,
        "pages": 0,
        "items": 0,
        "reason": f"GET /organization/{collection.value} was answered 403: Missing scopes",
        "request_id": "req_1",
    }
    return a_listing(collection, **(values | changes))


def full_coverage(*project_ids: str) -> tuple[Coverage, ...]:
    """Return the account of a walk through these projects that saw everything."""
    of_organization = (Collection.PROJECTS, Collection.USERS, Collection.ADMIN_KEYS)
    of_project = (Collection.PROJECT_KEYS, Collection.SERVICE_ACCOUNTS)
    return (
        *(a_listing(collection) for collection in of_organization),
        *(a_listing(c, project_id=project_id) for c in of_project for project_id in project_ids),
    )


def an_inventory(**changes: Any) -> Inventory:
    """One project, one user, one key, all in order and all seen."""
    values = {
        "organization": "Acme",
        "projects": (a_project(),),
        "keys": (a_key(),),
        "users": (a_user(),),
        "service_accounts": (),
        "coverage": full_coverage("proj_1"),
    }
    return Inventory(**(values | changes))


def a_subject(**changes: Any) -> Subject:
    """The first key of an inventory with these changes."""
    return next(subjects(an_inventory(**changes), NOW))
