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


def probed(url: str, key: str = KEY, ahead: timedelta = timedelta()) -> Probed:
    return asyncio.run(probe(Secret(key), url, lambda: datetime.now(UTC) + ahead))


def of(told: Probed, collection: Collection) -> tuple[Asked, ...]:
    return tuple(one for one in told.asked if one.collection is collection)


def test_every_endpoint_of_the_walk_is_asked_once_for_one_item_and_nothing_is_changed(
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


def test_a_key_that_is_not_known_is_asked_with_only_once() -> None:
    refusal = Reply(status=401, body={"error": {"message": "Incorrect API key provided."}})
    script = Script(lambda _asked: refusal)
    with serving(script) as url:
        told = probed(url)
    assert len(script.asked) == 1
    assert isinstance(told.asked[0].error, ApiRejected)
    assert {one.skipped for one in told.asked[1:]} == {"the API does not take the key"}
    assert told.skew is not None


def test_nobody_there_is_found_out_once() -> None:
    told = probed("http://127.0.0.1:9/v1")
    assert isinstance(told.asked[0].error, ApiUnreachable)
    assert {one.skipped for one in told.asked[1:]} == {"the API does not answer"}
    assert told.skew is None


def test_what_failed_once_is_not_asked_again() -> None:
    script = Script(lambda _asked: Reply(status=500))
    with serving(script) as url:
        told = probed(url)
    assert len(script.asked) == 5 + len(USAGE_ENDPOINTS)
    assert {one.skipped for one in of(told, Collection.PROJECT_KEYS)} == {"no project was seen"}


@pytest.mark.parametrize("body", [b"<html>", {"data": [{"id": 5}], "has_more": False}, [1], "x"])
def test_an_answer_that_is_none_of_the_apis_is_an_error(body: object) -> None:
    with serving(Script(lambda _asked: Reply(body=body))) as url:
        told = probed(url)
    assert isinstance(told.asked[0].error, ApiMalformed | ApiFailed)


def test_an_endpoint_that_the_api_need_not_have_is_no_problem() -> None:
    def answer(asked: Request) -> Reply:
        return Reply(status=404 if asked.path.endswith("decisions") else 200)

    with serving(Script(answer)) as url:
        told = probed(url)
    assert not any(one.error for one in of(told, Collection.USAGE))


def test_a_projects_id_is_one_part_of_a_path() -> None:
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
