"""Endless responses and listings: each is one gap, and needs little memory."""

import asyncio
import gzip
import itertools
import json
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from typing import Any, TypeVar

import pytest

from scanner.errors import ApiError, ApiFailed, ApiMalformed, ApiUnreachable
from scanner.inventory import CoverageState
from scanner.openai_api import bodies, listing, naming
from scanner.openai_api.bodies import MIB
from scanner.openai_api.client import AdminClient
from scanner.openai_api.pace import Pace
from scanner.sandbox.app import Receive, Scope, Send
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.openai_api.scripted import Asked, Reply, Script, in_turn, scripted
from tests.openai_api.test_listing import walk

GZIP = {"content-encoding": "gzip"}
BLANKS = b" " * MIB
Value = TypeVar("Value")


@cache
def bomb(megabytes: int) -> bytes:
    """A gzip body of blanks."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    pieces = [packing.compress(BLANKS) for _ in range(megabytes)]
    return b"".join([*pieces, packing.flush()])


def refusal(make_client: Callable[[], AdminClient]) -> ApiError:
    async def ask() -> None:
        async with make_client() as client:
            await client.get("/x", {}, lambda body: body)

    with pytest.raises(ApiError) as caught:
        asyncio.run(ask())
    return caught.value


async def with_client(
    make_client: Callable[[], AdminClient], read: Callable[[AdminClient], Awaitable[Value]]
) -> Value:
    async with make_client() as client:
        return await read(client)


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_bomb_is_one_gap_after_one_request(memory: Callable[[], int]) -> None:
    with scripted(in_turn(Reply(body=bomb(64), headers=GZIP))) as (script, client, _):
        found, coverage = walk(client)
        peak = memory()
    assert found == []
    assert coverage.state is CoverageState.UNAVAILABLE
    assert len(script.asked) == 1
    assert peak < 32 * MIB


@pytest.mark.parametrize("status", [302, 400, 429, 500])
def test_a_bomb_in_an_error_leaves_its_status(memory: Callable[[], int], status: int) -> None:
    reply = Reply(status=status, body=bomb(64), headers={**GZIP, "x-should-retry": "true"})
    with scripted(in_turn(reply)) as (script, client, _):
        error = refusal(client)
        peak = memory()
    assert isinstance(error, ApiFailed)
    assert error.status == status
    assert len(script.asked) == 1
    assert peak < 32 * MIB


@pytest.mark.parametrize("value", [b"{}", b"[]", b"1", b"[[[[[[[[]]]]]]]]", b'{"id":"u"}'])
def test_many_small_values_are_one_gap_before_they_take_up_memory(
    monkeypatch: pytest.MonkeyPatch, memory: Callable[[], int], value: bytes
) -> None:
    monkeypatch.setattr(bodies, "MAX_VALUES", 200_000)
    monkeypatch.setattr(bodies, "MAX_OBJECTS", 20_000)
    body = b'{"data": [' + b",".join([value] * 210_000) + b"]}"
    with scripted(in_turn(Reply(body=body))) as (script, client, _):
        found, coverage = walk(client)
        peak = memory()
    assert found == []
    assert coverage.state is CoverageState.UNAVAILABLE
    assert "has more than" in str(coverage.reason)
    assert len(script.asked) == 1
    assert peak < 32 * MIB


def test_a_page_whose_records_are_all_invalid_takes_up_little_memory(
    memory: Callable[[], int],
) -> None:
    body = b'{"data": [' + b",".join([b"1"] * 500_000) + b"]}"
    with scripted(in_turn(Reply(body=body))) as (_, client, _):
        _, coverage = walk(client)
        peak = memory()
    assert "500,000 records without a usable id" in str(coverage.reason)
    assert peak < 64 * MIB


@pytest.mark.parametrize("status", [200, 302, 400])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_plain_body_without_end_is_not_read(
    memory: Callable[[], int], status: int, *, has_length: bool
) -> None:
    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        length = [(b"content-length", str(1024 * MIB).encode())] if has_length else []
        await send({"type": "http.response.start", "status": status, "headers": length})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": BLANKS, "more_body": True})

    with serving(endless) as url:
        error = refusal(lambda: client_at(url))
        peak = memory()
    assert isinstance(error, ApiMalformed if status == 200 else ApiFailed)
    assert peak < 64 * MIB


def client_at(url: str) -> AdminClient:
    return AdminClient(Secret("sk-admin-x"), base_url=url, pace=Pace(8))


def test_large_bodies_are_held_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, memory: Callable[[], int]
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 24 * MIB)

    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": BLANKS, "more_body": True})

    async def ask(url: str) -> list[Any]:
        async with client_at(url) as client:
            reads = [client.get("/x", {}, len) for _ in range(8)]
            return await asyncio.gather(*reads, return_exceptions=True)

    with serving(large) as url:
        outcomes = asyncio.run(ask(url))
        peak = memory()
    assert [type(one) for one in outcomes] == [ApiMalformed] * 8
    assert peak < 96 * MIB


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x"])
def test_only_the_compression_that_was_requested_is_read(encoding: str) -> None:
    body = gzip.compress(b'{"data": []}')
    reply = Reply(body=body, headers={"content-encoding": encoding})
    with scripted(in_turn(reply)) as (script, client, _):
        assert isinstance(refusal(client), ApiUnreachable)
    assert script.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("size", [0, 1, 65_535, 3 * MIB])
def test_a_compressed_page_is_read_whole(size: int) -> None:
    rows = [{"id": "user-1", "name": "é" * size}]
    body = gzip.compress(json.dumps({"data": rows, "has_more": False}).encode())
    with scripted(in_turn(Reply(body=body, headers=GZIP))) as (_, client, _):
        found, coverage = walk(client)
    assert found == ["user-1"]
    assert coverage.state is CoverageState.COMPLETE


def test_what_is_not_gzip_is_an_error() -> None:
    with scripted(in_turn(Reply(body=b"{}", headers=GZIP))) as (_, client, _):
        assert isinstance(refusal(client), ApiUnreachable)


@pytest.mark.parametrize(("pages", "records"), [(5, 1_000), (1_000, 5)])
def test_a_listing_without_end_ends_as_a_gap(
    monkeypatch: pytest.MonkeyPatch, pages: int, records: int
) -> None:
    monkeypatch.setattr(listing, "MAX_PAGES", pages)
    monkeypatch.setattr(listing, "MAX_RECORDS", records)
    numbers = itertools.count()

    def answer(_asked: Asked) -> Reply:
        name = f"user-{next(numbers)}"
        return Reply(body={"data": [{"id": name}], "has_more": True, "last_id": name})

    with scripted(answer) as (script, client, _):
        found, coverage = walk(client)
    assert len(found) == len(script.asked) == 5
    assert coverage.state is CoverageState.PARTIAL
    assert coverage.reason


def test_the_projects_that_identify_an_organization_end_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(naming, "MAX_PAGES", 5)
    numbers = itertools.count()

    def answer(_asked: Asked) -> Reply:
        name = f"proj_{next(numbers)}"
        return Reply(body={"data": [{"id": name}], "has_more": True, "last_id": name})

    with scripted(answer) as (script, client, _):
        found = asyncio.run(with_client(client, naming.read_project_ids))
    assert len(found) == len(script.asked) == 5


@pytest.mark.parametrize("body", [b"[" * 10_000, b'{"data": [' + b"9" * 5_000 + b"]}"])
def test_an_unreadable_page_identifies_no_organization(body: bytes) -> None:
    with scripted(in_turn(Reply(body=body))) as (_, client, _):
        named = asyncio.run(with_client(client, naming.read_name))
    assert named.project_ids == frozenset()


def test_a_cookie_is_never_sent_back() -> None:
    cookie = {"set-cookie": "session=1; Path=/"}
    pages = (
        Reply(body={"data": [{"id": "user-1"}], "has_more": True}, headers=cookie),
        Reply(body={"data": [{"id": "user-2"}], "has_more": False}, headers=cookie),
    )
    with scripted(in_turn(*pages)) as (script, client, _):
        walk(client)
    assert len(script.asked) == 2
    assert not any("cookie" in asked.headers for asked in script.asked)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_redirect_is_not_followed(status: int, method: str) -> None:
    foreign = Script(in_turn(Reply()))

    async def change(client: AdminClient) -> None:
        async with client:
            if method == "GET":
                await client.get("/x", {}, len)
            else:
                await client.change(method, "/x", {})

    with serving(foreign) as elsewhere:
        reply = Reply(status=status, headers={"location": elsewhere})
        with scripted(in_turn(reply)) as (script, client, _), pytest.raises(ApiFailed):
            asyncio.run(change(client()))
    assert foreign.asked == []
    assert len(script.asked) == 1
