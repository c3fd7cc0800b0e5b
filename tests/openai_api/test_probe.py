import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from scanner.checkup import Asked
from scanner.collection import Collection
from scanner.errors import ApiFailed, ApiMalformed, ApiRejected, ApiUnreachable
from scanner.openai_api.activity import USAGE_ENDPOINTS
from scanner.openai_api.probe import Probed, probe
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.factories import NOW
from tests.openai_api.scripted import KEY, Reply, Script
from tests.openai_api.scripted import Asked as Request
from tests.support.prose import Prose


def probed(url: str, key: str = KEY, ahead: timedelta = timedelta()) -> Probed:
    return asyncio.run(probe(Secret(key), url, lambda: datetime.now(UTC) + ahead))


def of(told: Probed, collection: Collection) -> tuple[Asked, ...]:
    return tuple(one for one in told.asked if one.collection is collection)


def test_each_endpoint_of_a_scan_is_read_once_with_a_limit_of_one_item(
    organization: SandboxOrganization,
) -> None:
    app = SandboxApp(organization, clock=NOW.timestamp)
    asked: list[str] = []

    async def noted(scope, receive, send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        asked.append(f"{scope['method']} {scope['path'].removeprefix('/v1')}")
        assert b"limit=1" in scope["query_string"]
        await app(scope, receive, send)

    with serving(noted) as url:
        told = probed(url, SANDBOX_KEY)
    assert [one for one in told.asked if one.error or one.skipped] == []
    assert {one.collection for one in told.asked} == set(Collection)
    assert sorted(asked) == sorted(one.endpoint for one in told.asked)
    assert len(asked) == len(set(asked)) == 7 + len(USAGE_ENDPOINTS)
    assert organization.writes == []


def test_a_rejected_key_is_used_for_one_request_only(prose: Prose) -> None:
    refusal = Reply(status=401, body={"error": {"message": "Incorrect API key provided."}})
    script = Script(lambda _asked: refusal)
    with serving(script) as url:
        told = probed(url)
    assert len(script.asked) == 1
    assert isinstance(told.asked[0].error, ApiRejected)
    (reason,) = {one.skipped for one in told.asked[1:]}
    prose(reason)
    assert told.skew is not None


def test_an_unreachable_api_is_requested_once(prose: Prose) -> None:
    told = probed("http://127.0.0.1:9/v1")
    assert isinstance(told.asked[0].error, ApiUnreachable)
    (reason,) = {one.skipped for one in told.asked[1:]}
    prose(reason)
    assert told.skew is None


def test_a_failed_request_is_not_retried(prose: Prose) -> None:
    script = Script(lambda _asked: Reply(status=500))
    with serving(script) as url:
        told = probed(url)
    assert len(script.asked) == 5 + len(USAGE_ENDPOINTS)
    (skipped,) = of(told, Collection.PROJECT_KEYS)
    prose(skipped.skipped)


@pytest.mark.parametrize("body", [b"<html>", {"data": [{"id": 5}], "has_more": False}, [1], "x"])
def test_a_malformed_response_is_an_error(body: object) -> None:
    with serving(Script(lambda _asked: Reply(body=body))) as url:
        told = probed(url)
    assert isinstance(told.asked[0].error, ApiMalformed | ApiFailed)


def test_a_missing_optional_endpoint_is_not_an_error() -> None:
    def answer(asked: Request) -> Reply:
        return Reply(status=404 if asked.path.endswith("decisions") else 200)

    with serving(Script(answer)) as url:
        told = probed(url)
    assert not any(one.error for one in of(told, Collection.USAGE))


def test_a_projects_id_is_quoted_in_a_path() -> None:
    def answer(asked: Request) -> Reply:
        project = {"id": "../x?y", "created_at": 1, "status": "active"}
        is_projects = asked.path.endswith("/organization/projects")
        return Reply(body={"data": [project] if is_projects else [], "has_more": False})

    with serving(Script(answer)) as url:
        told = probed(url)
    (asked,) = of(told, Collection.PROJECT_KEYS)
    assert asked.endpoint == "GET /organization/projects/..%2Fx%3Fy/api_keys"


@pytest.mark.parametrize("minutes", [-90, 0, 5])
def test_the_clocks_are_compared(minutes: int) -> None:
    with serving(Script(lambda _asked: Reply())) as url:
        told = probed(url, ahead=timedelta(minutes=minutes))
    assert told.skew is not None
    assert abs(told.skew - timedelta(minutes=minutes)) < timedelta(seconds=5)
