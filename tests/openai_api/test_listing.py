import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import Coverage, CoverageState
from scanner.openai_api.client import AdminClient
from scanner.openai_api.listing import Listing, Query
from scanner.openai_api.pages import Page
from scanner.openai_api.wire import WireUser
from tests.openai_api.scripted import Reply, in_turn, scripted
from tests.support.prose import Prose

QUERY = Query(collection=Collection.USERS, path="/organization/users", params={"x": "y"})


def users(*numbers: int) -> list[dict[str, str]]:
    return [{"id": f"user-{number}"} for number in numbers]


def walk(make_client: Callable[[], AdminClient]) -> tuple[list[str], Coverage]:
    async def go() -> tuple[list[str], Coverage]:
        async with make_client() as client:
            listing = Listing(client, QUERY, Page[WireUser])
            ids = [user.id for user in await listing.items()]
            return ids, listing.coverage()

    return asyncio.run(go())


def coverage(**changes: Any) -> Coverage:
    values = {
        "collection": Collection.USERS,
        "project_id": None,
        "endpoint": "GET /organization/users",
        "pages": 1,
        "items": 2,
        "state": CoverageState.COMPLETE,
        "reason": None,
        "request_id": None,
    }
    return Coverage(**(values | changes))


def test_pages_follow_the_cursor_to_the_end() -> None:
    pages = (
        Reply(body={"data": users(1, 2), "has_more": True, "last_id": "user-2"}),
        Reply(body={"data": users(3), "has_more": False, "last_id": "user-3"}),
    )
    with scripted(in_turn(*pages)) as (script, client, _):
        assert walk(client) == (
            ["user-1", "user-2", "user-3"],
            coverage(pages=2, items=3),
        )
    assert [asked.query for asked in script.asked] == [
        {"limit": ["100"], "x": ["y"]},
        {"limit": ["100"], "x": ["y"], "after": ["user-2"]},
    ]


@pytest.mark.parametrize("last_id", [{}, {"last_id": None}])
def test_without_a_last_id_the_last_item_is_the_cursor(last_id: dict[str, None]) -> None:
    pages = (
        Reply(body={"data": users(1, 2), "has_more": True, **last_id}),
        Reply(body={"data": [], "has_more": False}),
    )
    with scripted(in_turn(*pages)) as (script, client, _):
        walk(client)
    assert script.asked[1].query["after"] == ["user-2"]


def test_without_has_more_the_listing_ends_at_an_empty_page() -> None:
    with scripted(in_turn(Reply(body={"data": users(1)}), Reply(body={"data": []}))) as (
        script,
        client,
        _,
    ):
        assert walk(client) == (["user-1"], coverage(pages=2, items=1))
    assert len(script.asked) == 2


def test_an_item_that_moved_to_the_next_page_counts_once() -> None:
    pages = (
        Reply(body={"data": users(1, 2), "has_more": True}),
        Reply(body={"data": users(2, 3), "has_more": False}),
    )
    with scripted(in_turn(*pages)) as (_, client, _waits):
        assert walk(client) == (["user-1", "user-2", "user-3"], coverage(pages=2, items=3))


def test_a_repeated_cursor_makes_the_listing_partial(prose: Prose) -> None:
    page = Reply(body={"data": users(1, 2), "has_more": True, "last_id": "user-2"})
    with scripted(in_turn(page)) as (script, client, _):
        ids, account = walk(client)
    assert ids == ["user-1", "user-2"]
    assert account == coverage(pages=2, state=CoverageState.PARTIAL, reason=account.reason)
    assert "GET /organization/users " in (account.reason or "")
    assert " user-2 " in (account.reason or "")
    prose(account.reason or "")
    assert len(script.asked) == 2


def test_an_empty_page_with_has_more_makes_the_listing_partial() -> None:
    pages = (
        Reply(body={"data": users(1, 2), "has_more": True}),
        Reply(body={"data": [], "has_more": True}),
    )
    with scripted(in_turn(*pages)) as (_, client, _waits):
        _, account = walk(client)
    assert account.state is CoverageState.PARTIAL


@pytest.mark.parametrize(
    "body",
    [b'{"object": "list"}', b'{"data": null}', b"[1]", b'"x"', b'{"data": [{"id": "user-'],
)
def test_a_body_that_is_not_a_page_is_a_gap(body: bytes) -> None:
    reply = Reply(body=body, headers={"x-request-id": "req_5"})
    with scripted(in_turn(reply)) as (_, client, _waits):
        _, account = walk(client)
    assert (account.state, account.request_id) == (CoverageState.UNAVAILABLE, "req_5")


@pytest.mark.parametrize(
    ("body", "requests"), [(b'{"data": [{"id": "user-', 6), (b'{"data": null}', 1), (b"[1]", 1)]
)
def test_only_a_truncated_body_is_requested_again(body: bytes, requests: int) -> None:
    with scripted(in_turn(Reply(body=body))) as (script, client, _waits):
        walk(client)
    assert len(script.asked) == requests


@pytest.mark.parametrize(
    "record", [{"name": "x"}, {"id": 5}, {"id": None}, "x", None, [], {"id": ""}, {"id": "\ud83d"}]
)
def test_a_record_without_a_usable_id_is_not_collected(record: object) -> None:
    pages = (
        Reply(body={"data": [*users(1), record], "has_more": True}),
        Reply(body={"data": users(2), "has_more": False}),
    )
    with scripted(in_turn(*pages)) as (_, client, _waits):
        ids, account = walk(client)
    assert ids == ["user-1", "user-2"]
    assert (account.state, account.items) == (CoverageState.PARTIAL, 2)


def test_a_page_whose_records_are_all_unusable_does_not_end_the_listing() -> None:
    pages = (
        Reply(body={"data": [{}], "has_more": True, "last_id": "user-1"}),
        Reply(body={"data": users(2), "has_more": False}),
    )
    with scripted(in_turn(*pages)) as (_, client, _waits):
        ids, account = walk(client)
    assert (ids, account.state) == (["user-2"], CoverageState.PARTIAL)


def test_an_error_on_a_later_page_makes_the_listing_partial() -> None:
    pages = (
        Reply(body={"data": users(1, 2), "has_more": True}),
        Reply(status=403, body={"error": {"message": "Missing scopes: x"}}),
    )
    with scripted(in_turn(*pages)) as (_, client, _waits):
        ids, account = walk(client)
    assert ids == ["user-1", "user-2"]
    assert account == coverage(state=CoverageState.PARTIAL, reason=account.reason)
    assert (account.reason or "").startswith("GET /organization/users ")
    assert (account.reason or "").endswith(" 403: Missing scopes: x")
