"""Re-reading and changing one key: the exact requests, and how often each is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from openai.types.admin.organization.projects import api_key_update_params

from scanner.errors import ApiError, ApiForbidden, ApiNotFound
from scanner.inventory import KeyKind, ServiceAccount, User
from scanner.openai_api.client import AdminClient
from scanner.openai_api.pace import Pace
from scanner.openai_api.retry import Backoff
from scanner.openai_api.revoker import ApiRevoker
from scanner.revocation import Method
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.factories import NOW
from tests.openai_api.scripted import KEY, Asked, Reply, Script
from tests.planning import an_intent
from tests.support.prose import Prose

INTENT = an_intent(key_id="key/1")
PATH = "/v1/organization/projects/proj_1/api_keys/key/1"
WIRE = {
    "object": "organization.project.api_key",
    "id": "key/1",
    "name": "backend",
    "redacted_value": "sk-proj-a...b",
    "created_at": 1,
    "last_used_at": None,
    "expires_at": None,
    "owner_project_access": "active",
    "owner": {
        "type": "user",
        "user": {"id": "user-1", "name": "Ada", "email": "a@example.com", "role": "member"},
    },
}
PROJECT = "/v1/organization/projects/proj_1"
WIRE_PROJECT = {"id": "proj_1", "name": "chat", "created_at": 1, "status": "active"}
GONE = Reply(status=404, body={"error": {"message": "No such thing."}})


@contextmanager
def revoking(answer: Callable[[Asked], Reply]) -> Iterator[tuple[ApiRevoker, Script]]:
    script = Script(answer)
    with serving(script) as url:
        quick = Backoff(tries=3, first_wait=0.001, longest_wait=0.001)
        client = AdminClient(Secret(KEY), base_url=url, pace=Pace(1), backoff=quick)
        with ApiRevoker(client) as revoker:
            yield revoker, script


def answers(**by_last_part: Reply) -> Callable[[Asked], Reply]:
    """Reply by a word in the path; else with the project or the key."""

    def answer(asked: Asked) -> Reply:
        found = (reply for word, reply in by_last_part.items() if f"/{word}/" in f"{asked.path}/")
        return next(found, Reply(body=WIRE_PROJECT if asked.path == PROJECT else WIRE))

    return answer


def test_a_key_is_read_with_its_owner_and_the_apis_clock() -> None:
    user = {"id": "user-1", "name": "Ada", "email": "a@example.com", "user": {"enabled": True}}
    with revoking(answers(users=Reply(body=user))) as (revoker, script):
        look = revoker.look("key/1", "proj_1")
    assert look.key
    assert (look.key.id, look.key.project_id, look.key.kind) == (
        "key/1",
        "proj_1",
        KeyKind.PROJECT,
    )
    assert isinstance(look.owner, User)
    assert look.owner.enabled is True
    assert look.at
    assert abs(datetime.now(UTC) - look.at).total_seconds() < 60
    assert look.project
    assert look.project.name == "chat"
    users = "/v1/organization/users/user-1"
    assert [asked.path for asked in script.asked] == [PATH, PROJECT, users]


def test_a_deleted_owner_is_none_and_is_not_read_without_whole() -> None:
    wire = {**WIRE, "owner_project_access": "inactive"}
    with revoking(answers(users=GONE, api_keys=Reply(body=wire))) as (revoker, script):
        assert revoker.look("key/1", "proj_1").owner is None
        assert revoker.look("key/1", "proj_1", whole=False).owner is None
    assert len(script.asked) == 4


@pytest.mark.parametrize("kind", ["users", "service_accounts"])
def test_a_response_about_another_owner_is_an_error(kind: str, prose: Prose) -> None:
    account = {"type": "service_account", "service_account": {"id": "svc_1"}}
    wire = {**WIRE, "owner": account} if kind == "service_accounts" else WIRE
    replies = answers(api_keys=Reply(body=wire), **{kind: Reply(body={"id": "user-2"})})
    owner_id = "svc_1" if kind == "service_accounts" else "user-1"
    with revoking(replies) as (revoker, _), pytest.raises(ApiError, match=owner_id) as caught:
        revoker.look("key/1", "proj_1")
    prose(f"{caught.value}\n{caught.value.help}")


@pytest.mark.parametrize("kind", ["users", "service_accounts"])
def test_a_missing_owner_with_access_is_an_error(kind: str, prose: Prose) -> None:
    """The owner's current name, which may be protected, is unknown then."""
    account = {"type": "service_account", "service_account": {"id": "svc_1"}}
    wire = {**WIRE, "owner": account} if kind == "service_accounts" else WIRE
    replies = answers(api_keys=Reply(body=wire), **{kind: GONE})
    owner_id = "svc_1" if kind == "service_accounts" else "user-1"
    with revoking(replies) as (revoker, _), pytest.raises(ApiError, match=owner_id) as caught:
        revoker.look("key/1", "proj_1")
    assert f"/{kind}/{owner_id}" in (caught.value.endpoint or "")
    prose(f"{caught.value}\n{caught.value.help}")


@pytest.mark.parametrize("key", [Reply(body=WIRE), GONE])
def test_a_response_about_another_project_is_an_error(key: Reply) -> None:
    other = Reply(body={**WIRE_PROJECT, "id": "proj_2"})
    with (
        revoking(lambda asked: other if asked.path == PROJECT else key) as (revoker, _),
        pytest.raises(ApiError, match="proj_1"),
    ):
        revoker.look("key/1", "proj_1")


def test_a_service_account_is_read_in_the_keys_project() -> None:
    account = {"id": "svc_1", "name": "robot", "role": "member", "created_at": 1}
    wire = {**WIRE, "owner": {"type": "service_account", "service_account": account}}
    replies = answers(service_accounts=Reply(body=account), api_keys=Reply(body=wire))
    with revoking(replies) as (revoker, script):
        look = revoker.look("key/1", "proj_1")
    assert look.owner == ServiceAccount(id="svc_1", project_id="proj_1", name="robot")
    assert script.asked[-1].path == "/v1/organization/projects/proj_1/service_accounts/svc_1"


def test_a_key_counts_as_deleted_only_if_its_project_is_found() -> None:
    with revoking(answers(api_keys=GONE)) as (revoker, _):
        assert revoker.look("key/1", "proj_1").key is None
    with revoking(lambda _asked: GONE) as (revoker, _), pytest.raises(ApiNotFound):
        revoker.look("key/1", "proj_1")


def test_a_response_about_another_key_is_an_error() -> None:
    other = Reply(body={**WIRE, "id": "key_2"})
    with (
        revoking(lambda _asked: other) as (revoker, _),
        pytest.raises(ApiError, match="key/1"),
    ):
        revoker.look("key/1", "proj_1")


@pytest.mark.parametrize(
    ("changes", "method", "path", "body"),
    [
        ({}, "POST", PATH, {"expires_in_seconds": 604_800}),
        (
            {"method": Method.RESTRICT, "scopes": ("api.all.read",)},
            "POST",
            PATH,
            {"scopes": ["api.all.read"]},
        ),
        ({"method": Method.DELETE}, "DELETE", PATH, None),
        (
            {"method": Method.DELETE, "project_id": None},
            "DELETE",
            "/v1/organization/admin_api_keys/key/1",
            None,
        ),
    ],
)
def test_each_method_requests_exactly_one_change_of_one_key(
    changes: dict[str, Any], method: str, path: str, body: Any
) -> None:
    with revoking(lambda _asked: Reply(headers={"x-request-id": "req_1"})) as (revoker, script):
        assert revoker.change(replace(INTENT, **changes)) == "req_1"
    (asked,) = script.asked
    assert (asked.method, asked.path, asked.body) == (method, path, body)
    if method == "POST":
        known = api_key_update_params.APIKeyUpdateParams.__annotations__
        assert asked.body.keys() <= known.keys()


@pytest.mark.parametrize("status", [400, 404, 408, 409, 429, 500, 503])
def test_a_failed_change_is_not_retried(status: int) -> None:
    refusal = Reply(status=status, body={"error": {"message": "No."}})
    with (
        revoking(lambda _asked: refusal) as (revoker, script),
        pytest.raises(ApiError) as caught,
    ):
        revoker.change(INTENT)
    assert caught.value.status == status
    assert len(script.asked) == 1


def test_the_help_for_a_change_names_the_write_scope() -> None:
    refusal = Reply(status=403, body={"error": {"message": "Missing scopes: api.management.write"}})
    with revoking(lambda _asked: refusal) as (revoker, _), pytest.raises(ApiForbidden) as caught:
        revoker.change(INTENT)
    assert " api.management.write." in (caught.value.help or "")


def test_an_empty_list_of_scopes_is_never_sent() -> None:
    with (
        revoking(lambda _asked: Reply()) as (revoker, script),
        pytest.raises(ValueError, match="scopes"),
    ):
        revoker.change(replace(INTENT, method=Method.RESTRICT))
    assert script.asked == []


def test_the_scopes_of_a_key_are_those_of_its_latest_event() -> None:
    def event(at: int, *scopes: str, key_id: str = "key/1") -> dict[str, Any]:
        changes = {"scopes": list(scopes)}
        return {
            "id": f"audit-{at}",
            "type": "api_key.updated",
            "effective_at": 1_700_000_000 + at,
            "api_key.updated": {"id": key_id, "changes_requested": changes},
        }

    events = [event(5, "a"), event(9, "b"), event(11, "c", key_id="key_2")]
    with revoking(lambda _asked: Reply(body={"data": events, "has_more": False})) as (revoker, s):
        assert revoker.scopes_given("key/1", NOW) == ("b",)
    assert s.asked[0].query["resource_ids[]"] == ["key/1"]
    with revoking(lambda _asked: Reply()) as (revoker, _):
        assert revoker.scopes_given("key/1", NOW) is None
