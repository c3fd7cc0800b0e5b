"""Responses of the sandbox to requests that the official SDK does not send."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.endpoints import READ_SCOPE
from scanner.sandbox.organization import Account, SandboxOrganization, SandboxProject, Write
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from tests.factories import NOW

READER = "sk-admin-reader"
NOBODY = "sk-admin-nobody"
SECONDS = int(NOW.timestamp())


@pytest.fixture
def api(organization: SandboxOrganization) -> Iterator[httpx2.Client]:
    keys = {SANDBOX_KEY: ALL_SCOPES, READER: frozenset({READ_SCOPE}), NOBODY: frozenset[str]()}
    app = SandboxApp(organization, keys=keys, clock=NOW.timestamp)
    headers = {"authorization": f"Bearer {SANDBOX_KEY}"}
    with serving(app) as url, httpx2.Client(base_url=url, headers=headers) as client:
        yield client


@pytest.fixture
def project(organization: SandboxOrganization) -> SandboxProject:
    return next(iter(organization.projects.values()))


def message(response: httpx2.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["message"]


@pytest.mark.parametrize(
    ("authorization", "status", "said"),
    [
        ("", 401, "You didn't provide an API key."),
        ("Basic x", 401, "You didn't provide an API key."),
        ("Bearer sk-admin-wrong-key", 401, "Incorrect API key provided: sk-admin***-key."),
        (f"Bearer {NOBODY}", 403, "Missing scopes: api.management.read."),
    ],
)
def test_a_missing_or_insufficient_key_is_refused(
    api: httpx2.Client, authorization: str, status: int, said: str
) -> None:
    response = api.get("/organization/projects", headers={"authorization": authorization})
    assert message(response)[0] == status
    assert message(response)[1].endswith(said)


def test_a_change_requires_the_write_scope(
    api: httpx2.Client, project: SandboxProject, organization: SandboxOrganization
) -> None:
    key_id = next(iter(project.keys))
    path = f"/organization/projects/{project.id}/api_keys/{key_id}"
    response = api.delete(path, headers={"authorization": f"Bearer {READER}"})
    assert message(response)[1].endswith("Missing scopes: api.management.write.")
    assert key_id in project.keys
    assert organization.writes == [Write(method="DELETE", path=f"/v1{path}", body=None, status=403)]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("after=proj_none", "after"),
        ("include_archived=maybe", "include_archived"),
    ],
)
def test_a_parameter_out_of_bounds_is_named(api: httpx2.Client, query: str, param: str) -> None:
    response = api.get(f"/organization/projects?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_a_page_has_twenty_items_by_default(api: httpx2.Client, project: SandboxProject) -> None:
    path = f"/organization/projects/{project.id}/api_keys?owner_project_access=any"
    first = api.get(path).json()
    rest = api.get(f"{path}&after={first['last_id']}").json()
    assert (len(first["data"]), first["has_more"]) == (20, True)
    assert (len(rest["data"]), rest["has_more"]) == (5, False)
    ids = [key["id"] for key in first["data"] + rest["data"]]
    assert ids == list(project.keys)


def test_archived_projects_are_listed_only_if_requested(
    api: httpx2.Client, organization: SandboxOrganization
) -> None:
    archived = {p.id for p in organization.projects.values() if p.archived_at is not None}
    plain = {p["id"] for p in api.get("/organization/projects").json()["data"]}
    every = {
        p["id"] for p in api.get("/organization/projects?include_archived=true").json()["data"]
    }
    assert archived
    assert every - plain == archived


def test_keys_of_owners_without_access_are_listed_only_if_requested(
    api: httpx2.Client, organization: SandboxOrganization
) -> None:
    hidden = 0
    for project in organization.projects.values():
        path = f"/organization/projects/{project.id}/api_keys?limit=100"
        plain, active, inactive, every = (
            {key["id"] for key in api.get(path + more).json()["data"]}
            for more in ("", *(f"&owner_project_access={a}" for a in ("active", "inactive", "any")))
        )
        assert plain == active == every - inactive
        assert every == set(project.keys)
        hidden += len(inactive)
    assert hidden == organization.hidden_key_count() > 0


@pytest.mark.parametrize("listing", ["service_accounts", "users"])
def test_for_an_archived_project_only_keys_are_listed(
    api: httpx2.Client, organization: SandboxOrganization, listing: str
) -> None:
    archived = next(p for p in organization.projects.values() if p.archived_at is not None)
    path = f"/organization/projects/{archived.id}"
    assert message(api.get(f"{path}/{listing}"))[0] == 400
    assert api.get(f"{path}/api_keys").status_code == 200


@pytest.mark.parametrize("spelling", ["emails", "emails[]"])
def test_an_array_parameter_has_two_forms(
    api: httpx2.Client, organization: SandboxOrganization, spelling: str
) -> None:
    emails = [member.email for member in organization.members.values()][:2]
    response = api.get("/organization/users", params={spelling: emails})
    assert [user["email"] for user in response.json()["data"]] == emails


def test_a_change_sets_the_expiry_from_now_and_is_recorded(
    api: httpx2.Client, project: SandboxProject, organization: SandboxOrganization
) -> None:
    key = next(key for key in project.keys.values() if key.expires_at is None)
    path = f"/organization/projects/{project.id}/api_keys/{key.id}"
    change = {"expires_in_seconds": 3600, "scopes": ["api.all.read"]}
    response = api.post(path, json=change)
    assert response.json()["expires_at"] == key.expires_at == SECONDS + 3600
    assert "scopes" not in response.json()
    assert key.scopes == ("api.all.read",)
    assert organization.writes == [Write(method="POST", path=f"/v1{path}", body=change, status=200)]


@pytest.mark.parametrize(
    "change",
    [
        {},
        [],
        {"name": "x"},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": 31_536_001},
        {"expires_in_seconds": "60"},
        {"expires_in_seconds": True},
        {"expires_in_seconds": None},
        {"scopes": None},
        {"scopes": "api.all.read"},
        {"scopes": [1]},
    ],
)
def test_an_invalid_change_is_refused(
    api: httpx2.Client, project: SandboxProject, change: Any
) -> None:
    key = next(key for key in project.keys.values() if key.expires_at is None)
    path = f"/organization/projects/{project.id}/api_keys/{key.id}"
    assert message(api.post(path, json=change))[0] == 400
    assert message(api.post(path, content=b"{"))[0] == 400
    assert key.expires_at is None


def test_an_expired_key_cannot_be_changed(api: httpx2.Client, project: SandboxProject) -> None:
    key = next(iter(project.keys.values()))
    key.expires_at = SECONDS - 1
    path = f"/organization/projects/{project.id}/api_keys/{key.id}"
    assert message(api.post(path, json={"expires_in_seconds": 60}))[0] == 400


def test_a_deleted_key_is_not_found(api: httpx2.Client, project: SandboxProject) -> None:
    key_id = next(iter(project.keys))
    path = f"/organization/projects/{project.id}/api_keys/{key_id}"
    assert api.delete(path).json()["deleted"] is True
    assert message(api.get(path))[0] == 404
    assert message(api.delete(path))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/organization/projects/none/api_keys"),
        ("GET", "/organization/apikeys"),
        ("POST", "/organization/projects"),
        ("POST", "/organization/admin_api_keys"),
        ("GET", "/organization/admin_api_keys/none"),
        ("DELETE", "/organization/users/none"),
        ("GET", "/"),
        ("GET", "/organization/projects/"),
    ],
)
def test_a_missing_object_is_not_found(api: httpx2.Client, method: str, path: str) -> None:
    assert message(api.request(method, path))[0] == 404


def test_every_response_has_its_own_request_id(api: httpx2.Client) -> None:
    ids = {api.get("/organization/users").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_equal_seeds_build_equal_organizations_of_the_requested_size() -> None:
    def make(seed: int) -> SandboxOrganization:
        return seeded_organization(seed=seed, projects=16, keys_per_project=7, now=SECONDS)

    assert make(7) == make(7)
    assert make(7) != make(8)
    assert len(make(7).projects) == 16
    assert {len(project.keys) for project in make(7).projects.values()} == {7}


def test_with_old_delete_a_service_accounts_key_cannot_be_deleted(
    api: httpx2.Client, organization: SandboxOrganization
) -> None:
    organization.quirks = frozenset({Quirk.OLD_DELETE})
    for project, key in list(organization.project_keys()):
        is_account = isinstance(key.owner, Account)
        response = api.delete(f"/organization/projects/{project.id}/api_keys/{key.id}")
        assert response.status_code == (400 if is_account else 200)
        assert (key.id in project.keys) is is_account


def test_an_admin_key_can_be_a_service_accounts(
    api: httpx2.Client, organization: SandboxOrganization
) -> None:
    shown = api.get("/organization/admin_api_keys").json()["data"]
    owners = {key["id"]: key["owner"]["type"] for key in shown}
    assert owners == {
        key.id: "service_account" if isinstance(key.owner, Account) else "user"
        for key in organization.admin_keys.values()
    }
    assert set(owners.values()) == {"user", "service_account"}
