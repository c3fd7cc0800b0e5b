"""The sandbox against the official SDK: it reads all listings, and its models validate them."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import openai
import pytest
from openai import OpenAI
from openai.types.admin.organization import (
    AdminAPIKey,
    AdminAPIKeyDeleteResponse,
    AuditLogListResponse,
    OrganizationUser,
    Project,
    UsageAudioSpeechesResponse,
    UsageAudioTranscriptionsResponse,
    UsageCompletionsResponse,
    UsageCostsResponse,
    UsageDecisionsResponse,
    UsageEmbeddingsResponse,
    UsageFileSearchCallsResponse,
    UsageImagesResponse,
    UsageModerationsResponse,
    UsageWebSearchCallsResponse,
)
from openai.types.admin.organization.projects import (
    APIKeyDeleteResponse,
    ProjectAPIKey,
    ProjectServiceAccount,
    ProjectUser,
)
from pydantic import BaseModel

from scanner.openai_api.activity import USAGE_ENDPOINTS
from scanner.sandbox.app import SANDBOX_KEY
from scanner.sandbox.organization import DAY, SandboxOrganization, SandboxProject
from tests.factories import NOW

pytestmark = pytest.mark.slow


class HasId(Protocol):
    id: str


@pytest.fixture
def sdk(sandbox_url: str) -> Iterator[OpenAI]:
    with OpenAI(admin_api_key=SANDBOX_KEY, api_key="unused", base_url=sandbox_url) as client:
        yield client


@pytest.fixture
def project(organization: SandboxOrganization) -> SandboxProject:
    return next(iter(organization.projects.values()))


def ids(items: Iterable[HasId]) -> list[str]:
    return [item.id for item in items]


def strictly(item: BaseModel, model: type[BaseModel]) -> None:
    """Validate an item against the SDK's model: exact types, no unknown fields."""
    arrived = item.to_dict(mode="json") if hasattr(item, "to_dict") else item.model_dump()
    checked = model.model_validate(arrived, strict=True)
    assert not list(_extras(checked)), list(_extras(checked))


def _extras(item: Any) -> Iterator[str]:
    if isinstance(item, BaseModel):
        yield from (f"{type(item).__name__}.{name}" for name in item.model_extra or {})
        for value in vars(item).values():
            yield from _extras(value)
    elif isinstance(item, list):
        for value in item:
            yield from _extras(value)


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_it_pages_through_everything(
    sdk: OpenAI, organization: SandboxOrganization, limit: int
) -> None:
    admin = sdk.admin.organization
    projects = list(admin.projects.list(include_archived=True, limit=limit))
    assert ids(projects) == list(organization.projects)
    assert ids(admin.users.list(limit=limit)) == list(organization.members)
    assert ids(admin.admin_api_keys.list(limit=limit)) == list(organization.admin_keys)
    keys = [
        key.id
        for found in projects
        for key in admin.projects.api_keys.list(found.id, owner_project_access="any", limit=limit)
    ]
    assert keys == [key.id for _, key in organization.project_keys()]


def test_without_the_parameter_it_misses_keys_of_owners_without_access(
    sdk: OpenAI, organization: SandboxOrganization
) -> None:
    admin = sdk.admin.organization
    seen = [
        key.id
        for found in admin.projects.list(include_archived=True)
        for key in admin.projects.api_keys.list(found.id)
    ]
    project_keys = organization.key_count() - len(organization.admin_keys)
    assert len(seen) == project_keys - organization.hidden_key_count()


def test_every_body_matches_the_sdks_models(sdk: OpenAI) -> None:
    admin = sdk.admin.organization
    for project in admin.projects.list(include_archived=True, limit=100):
        strictly(project, Project)
        strictly(admin.projects.retrieve(project.id), Project)
        for key in admin.projects.api_keys.list(project.id, owner_project_access="any"):
            strictly(key, ProjectAPIKey)
        if project.status == "active":
            for account in admin.projects.service_accounts.list(project.id):
                strictly(account, ProjectServiceAccount)
            for member in admin.projects.users.list(project.id):
                strictly(member, ProjectUser)
    for user in admin.users.list():
        strictly(user, OrganizationUser)
    for admin_key in admin.admin_api_keys.list():
        strictly(admin_key, AdminAPIKey)
        strictly(admin.admin_api_keys.retrieve(admin_key.id), AdminAPIKey)


@pytest.mark.parametrize("limit", [1, 7, 31])
def test_usage_and_costs_match_the_sdks_pages_and_types(
    sdk: OpenAI, organization: SandboxOrganization, limit: int
) -> None:
    """The SDK does not page these by itself: `next_page` must be sent as `page`."""
    usage = sdk.admin.organization.usage
    endpoints: dict[str, tuple[Any, type[BaseModel]]] = {
        "completions": (usage.completions, UsageCompletionsResponse),
        "decisions": (usage.decisions, UsageDecisionsResponse),
        "embeddings": (usage.embeddings, UsageEmbeddingsResponse),
        "moderations": (usage.moderations, UsageModerationsResponse),
        "images": (usage.images, UsageImagesResponse),
        "audio_speeches": (usage.audio_speeches, UsageAudioSpeechesResponse),
        "audio_transcriptions": (usage.audio_transcriptions, UsageAudioTranscriptionsResponse),
        "file_search_calls": (usage.file_search_calls, UsageFileSearchCallsResponse),
        "web_search_calls": (usage.web_search_calls, UsageWebSearchCallsResponse),
        "costs": (usage.costs, UsageCostsResponse),
    }
    assert set(endpoints) == {*USAGE_ENDPOINTS, "costs"}
    start = int(NOW.timestamp()) - 30 * DAY
    seen: set[str] = set()
    for name, (ask, model) in endpoints.items():
        cursor: Any = openai.omit
        days = 0
        while cursor is not None:
            page = ask(start_time=start, group_by=["api_key_id"], limit=limit, page=cursor)
            strictly(page, model)
            days += len(page.data)
            seen |= {result.api_key_id for day in page.data for result in day.results}
            cursor = page.next_page if page.has_more else None
        assert days == 31, name
    assert seen == {
        row.key_id for day, rows in organization.days.items() if day > start - DAY for row in rows
    }


def test_the_audit_log_matches_the_sdks_pages_filters_and_types(
    sdk: OpenAI, organization: SandboxOrganization, project: SandboxProject
) -> None:
    admin = sdk.admin.organization
    key_id = next(iter(project.keys))
    admin.projects.api_keys.update(key_id, project_id=project.id, scopes=["api.model.read"])
    entries = list(admin.audit_logs.list(limit=50))
    assert len(entries) == len(organization.audit_log)
    for entry in entries:
        strictly(entry, AuditLogListResponse)
    assert [entry.effective_at for entry in entries] == sorted(
        (entry.effective_at for entry in entries), reverse=True
    )
    (changed,) = admin.audit_logs.list(event_types=["api_key.updated"])
    assert changed.api_key_updated
    assert changed.api_key_updated.id == key_id


def test_it_reads_one_of_each(sdk: OpenAI, project: SandboxProject) -> None:
    admin = sdk.admin.organization
    key_id, account_id, user_id = (
        next(iter(things)) for things in (project.keys, project.accounts, project.roles)
    )
    strictly(
        admin.projects.api_keys.retrieve(key_id, project_id=project.id),
        ProjectAPIKey,
    )
    account = admin.projects.service_accounts.retrieve(account_id, project_id=project.id)
    strictly(account, ProjectServiceAccount)
    strictly(admin.projects.users.retrieve(user_id, project_id=project.id), ProjectUser)
    strictly(admin.users.retrieve(user_id), OrganizationUser)


def test_it_changes_and_deletes_keys(
    sdk: OpenAI, organization: SandboxOrganization, project: SandboxProject
) -> None:
    admin = sdk.admin.organization
    key = next(key for key in project.keys.values() if key.expires_at is None)
    changed = admin.projects.api_keys.update(
        key.id, project_id=project.id, expires_in_seconds=60, scopes=[]
    )
    strictly(changed, ProjectAPIKey)
    assert changed.expires_at == key.expires_at
    deleted = admin.projects.api_keys.delete(key.id, project_id=project.id)
    strictly(deleted, APIKeyDeleteResponse)
    assert key.id not in project.keys
    admin_key_id = next(iter(organization.admin_keys))
    strictly(admin.admin_api_keys.delete(admin_key_id), AdminAPIKeyDeleteResponse)
    assert admin_key_id not in organization.admin_keys
    assert [(write.method, write.status) for write in organization.writes] == [
        ("POST", 200),
        ("DELETE", 200),
        ("DELETE", 200),
    ]


def test_it_lists_admin_keys_in_either_order(
    sdk: OpenAI, organization: SandboxOrganization
) -> None:
    listed = ids(sdk.admin.organization.admin_api_keys.list(order="desc", limit=2))
    assert listed == list(reversed(organization.admin_keys))


def test_its_errors_are_the_sdks_errors(
    sdk: OpenAI, organization: SandboxOrganization, sandbox_url: str, project: SandboxProject
) -> None:
    admin = sdk.admin.organization
    with pytest.raises(openai.NotFoundError):
        admin.projects.api_keys.retrieve("key_none", project_id=project.id)
    with pytest.raises(openai.BadRequestError):
        admin.projects.list(limit=101)
    archived = next(p for p in organization.projects.values() if p.archived_at is not None)
    with pytest.raises(openai.BadRequestError, match="archived"):
        admin.projects.service_accounts.list(archived.id)
    stranger = OpenAI(admin_api_key="sk-admin-wrong", api_key="unused", base_url=sandbox_url)
    with stranger, pytest.raises(openai.AuthenticationError) as caught:
        stranger.admin.organization.users.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id
