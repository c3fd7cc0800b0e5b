"""The sandbox against OpenAI's OpenAPI specification, where that file is available."""

import json
import re
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from scanner.sandbox.app import SANDBOX_KEY
from scanner.sandbox.organization import SandboxOrganization
from tests.conftest import SHARED, absent

pytestmark = pytest.mark.slow
DOCUMENT = SHARED / "openai-admin-api.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        absent(f"OpenAI's API document is not at {DOCUMENT}")
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return loaded


def schema_of(document: dict[str, Any], method: str, path: str, status: str) -> dict[str, Any]:
    """Return the schema of a response, with the components of the document."""
    answer = document["paths"][path][method]["responses"][status]
    schema = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def paths(organization: SandboxOrganization) -> dict[str, str]:
    """Return every path of the document that the sandbox supports, with ids filled in."""
    project = next(p for p in organization.projects.values() if p.archived_at is None)
    user_id = next(iter(project.roles))
    own = {
        "project_id": project.id,
        "api_key_id": next(iter(project.keys)),
        "service_account_id": next(iter(project.accounts)),
        "key_id": next(iter(organization.admin_keys)),
        "user_id": user_id,
    }
    readable = (
        "/organization/projects",
        "/organization/projects/{project_id}",
        "/organization/projects/{project_id}/api_keys",
        "/organization/projects/{project_id}/api_keys/{api_key_id}",
        "/organization/projects/{project_id}/service_accounts",
        "/organization/projects/{project_id}/service_accounts/{service_account_id}",
        "/organization/projects/{project_id}/users",
        "/organization/projects/{project_id}/users/{user_id}",
        "/organization/users",
        "/organization/users/{user_id}",
        "/organization/admin_api_keys",
        "/organization/admin_api_keys/{key_id}",
    )
    return {path: re.sub(r"{(\w+)}", lambda m: own[m.group(1)], path) for path in readable}


def test_every_response_matches_its_schema(
    document: dict[str, Any], organization: SandboxOrganization, sandbox_url: str
) -> None:
    headers = {"authorization": f"Bearer {SANDBOX_KEY}"}
    with httpx2.Client(base_url=sandbox_url, headers=headers) as api:
        for template, path in paths(organization).items():
            answer = api.get(path)
            assert answer.status_code == 200, path
            schema = schema_of(document, "get", template, "200")
            errors = [
                f"{template}: {error.json_path}: {error.message}"
                for error in Draft202012Validator(schema).iter_errors(answer.json())
            ]
            assert errors == []


def test_a_deletion_and_an_error_match_their_schemas(
    document: dict[str, Any], organization: SandboxOrganization, sandbox_url: str
) -> None:
    template = "/organization/projects/{project_id}/api_keys/{api_key_id}"
    path = paths(organization)[template]
    with httpx2.Client(base_url=sandbox_url) as api:
        deleted = api.delete(path, headers={"authorization": f"Bearer {SANDBOX_KEY}"})
        refused = api.delete(path)
    schema = schema_of(document, "delete", template, "200")
    Draft202012Validator(schema).validate(deleted.json())
    schema = schema_of(document, "delete", template, "400")
    Draft202012Validator(schema).validate(refused.json())


def test_the_sent_parameters_are_in_the_document(document: dict[str, Any]) -> None:
    def named(path: str) -> set[str]:
        return {p["name"] for p in document["paths"][path]["get"]["parameters"]}

    assert {"limit", "after", "include_archived"} <= named("/organization/projects")
    assert {"limit", "after", "owner_project_access"} <= named(
        "/organization/projects/{project_id}/api_keys"
    )
    for listing in ("users", "admin_api_keys", "projects/{project_id}/service_accounts"):
        assert {"limit", "after"} <= named(f"/organization/{listing}")
