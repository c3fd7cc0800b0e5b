"""Translation of old and new forms of the API's objects."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scanner.inventory import (
    Key,
    KeyKind,
    Owner,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    Unknown,
    User,
)
from scanner.openai_api.translate import to_admin_key, to_project, to_project_key, to_user
from scanner.openai_api.wire import WireAdminKey, WireProject, WireProjectKey, WireUser
from tests.support.prose import Prose

KEY: dict[str, Any] = {
    "object": "organization.project.api_key",
    "id": "key_1",
    "name": "a key",
    "redacted_value": "sk-proj-abcd...wxyz",
    "created_at": 1_700_000_000,
    "last_used_at": None,
    "expires_at": 1_800_000_000,
    "owner_project_access": "active",
    "owner": {
        "type": "user",
        "user": {
            "id": "user-1",
            "email": "ada@example.com",
            "name": "Ada",
            "created_at": 1,
            "role": "member",
        },
    },
    "something_new": {"is": "ignored"},
}


def project_key(**changes: Any) -> Key:
    return to_project_key(WireProjectKey.model_validate(KEY | changes), "proj_1")


def test_a_project_key() -> None:
    assert project_key() == Key(
        id="key_1",
        kind=KeyKind.PROJECT,
        name="a key",
        redacted_value="sk-proj-abcd...wxyz",
        created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        last_used_at=None,
        expires_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC),
        owner=Owner(
            kind=OwnerKind.USER, id="user-1", name="Ada", email="ada@example.com", role="member"
        ),
        project_id="proj_1",
        project_access=ProjectAccess.ACTIVE,
    )


def test_a_service_accounts_key() -> None:
    account = {"id": "svc_1", "name": "bot", "created_at": 1, "role": "member"}
    owner = {"type": "service_account", "service_account": account}
    assert project_key(owner=owner).owner == Owner(
        kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="bot", email=None, role="member"
    )


@pytest.mark.parametrize("field", ["expires_at", "last_used_at"])
def test_a_missing_date_is_unknown_and_not_never(field: str, prose: Prose) -> None:
    body = {name: value for name, value in KEY.items() if name != field}
    key = to_project_key(WireProjectKey.model_validate(body), "proj_1")
    unknown = getattr(key, field)
    assert isinstance(unknown, Unknown)
    assert field in unknown.reason
    prose(unknown.reason)


@pytest.mark.parametrize("access", [None, "pending"])
def test_a_missing_or_unknown_project_access_is_unknown(access: str | None) -> None:
    assert isinstance(project_key(owner_project_access=access).project_access, Unknown)


@pytest.mark.parametrize("owner", [{}, {"type": "robot"}, {"type": "user"}])
def test_a_missing_owner_is_unknown(owner: dict[str, str]) -> None:
    assert isinstance(project_key(owner=owner).owner.id, Unknown)


def test_a_key_pasted_as_a_name_is_masked() -> None:
    assert project_key(name="my sk-proj-0123456789abcdef0123").name == "my sk-***"


def test_an_unredacted_value_is_redacted() -> None:
    assert project_key(redacted_value="sk-proj-0123456789abcdef0123").redacted_value == "sk-***"


@pytest.mark.parametrize(
    ("owner", "kind"),
    [
        ({"type": "user", "object": "organization.user", "id": "user-1"}, OwnerKind.USER),
        ({"object": "organization.user", "id": "user-1"}, OwnerKind.USER),
        ({"type": "service_account", "id": "user-1"}, OwnerKind.SERVICE_ACCOUNT),
    ],
)
def test_an_admin_keys_owner_kind_is_its_type_or_object(
    owner: dict[str, str], kind: OwnerKind
) -> None:
    body = {
        "id": "key_a",
        "redacted_value": "sk-admin-a...z",
        "created_at": 1_700_000_000,
        "owner": owner,
    }
    key = to_admin_key(WireAdminKey.model_validate(body))
    assert (key.kind, key.owner.kind, key.project_id) == (KeyKind.ADMIN, kind, None)
    assert isinstance(key.expires_at, Unknown)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"status": "active"}, ProjectState.ACTIVE),
        ({"status": "archived"}, ProjectState.ARCHIVED),
        ({"archived_at": 1_700_000_000}, ProjectState.ARCHIVED),
    ],
)
def test_the_state_of_a_project(body: dict[str, Any], state: ProjectState) -> None:
    created_at = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert a_project(body) == Project(id="proj_1", name=None, state=state, created_at=created_at)


@pytest.mark.parametrize(("body", "where"), [({}, ""), ({"status": "frozen"}, "'frozen'")])
def test_a_missing_or_unknown_status_is_unknown(
    body: dict[str, Any], where: str, prose: Prose
) -> None:
    state = a_project(body).state
    assert isinstance(state, Unknown)
    assert state.where == where
    prose(state.reason)


def a_project(body: dict[str, Any]) -> Project:
    return to_project(
        WireProject.model_validate({"id": "proj_1", "created_at": 1_700_000_000, **body})
    )


@pytest.mark.parametrize(
    ("details", "enabled"),
    [
        ({"enabled": True}, True),
        ({"enabled": True, "banned": False}, True),
        ({"enabled": False}, False),
        ({"enabled": True, "banned": True}, False),
        ({"banned": True}, False),
        ({"enabled": True, "banned_at": 1_700_000_000}, False),
    ],
)
def test_a_user_is_enabled_only_if_the_api_returns_it(
    details: dict[str, bool],
    enabled: bool,  # noqa: FBT001
) -> None:
    user = a_user(details)
    assert user == User(
        id="user-1",
        name=None,
        email="a@example.com",
        role=None,
        enabled=enabled,
        key_last_used_at=user.key_last_used_at,
    )


@pytest.mark.parametrize("details", [{"banned": False}, {}, None])
def test_a_user_without_enabled_is_unknown(details: dict[str, bool] | None, prose: Prose) -> None:
    user = a_user(details)
    assert isinstance(user.enabled, Unknown)
    assert isinstance(user.key_last_used_at, Unknown)
    prose(f"{user.enabled.reason}\n{user.key_last_used_at.reason}")


def a_user(details: dict[str, bool] | None) -> User:
    return to_user(
        WireUser.model_validate({"id": "user-1", "email": "a@example.com", "user": details})
    )
