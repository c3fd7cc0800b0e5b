"""Usage and costs: a missing or invalid value is unknown, not zero."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import CoverageState, Unknown, is_complete
from scanner.openai_api.activity import Activity, collect_activity
from scanner.openai_api.client import AdminClient
from tests.factories import EVERYTHING, NOW
from tests.openai_api.scripted import Asked, Reply, scripted

DAY = {"start_time": int((NOW - timedelta(days=1)).timestamp())}
DECISIONS = "usage/decisions"


def collected(replies: dict[str, Reply]) -> Activity:
    """Collect; `replies` are by the end of the path."""

    def reply(asked: Asked) -> Reply:
        return next((found for end, found in replies.items() if asked.path.endswith(end)), Reply())

    return asked_of(reply)


def asked_of(reply: Callable[[Asked], Reply]) -> Activity:
    async def go(client: AdminClient) -> Activity:
        async with client:
            return await collect_activity(client, EVERYTHING, NOW)

    with scripted(reply) as (_, client, _waits):
        return asyncio.run(go(client()))


def results(*rows: dict[str, Any]) -> Reply:
    keyed = [{"api_key_id": "key_1"} | row for row in rows]
    return Reply(body={"data": [DAY | {"results": keyed}], "has_more": False})


@pytest.mark.parametrize(
    ("amount", "usd"),
    [
        ({"value": 0.06, "currency": "usd"}, Decimal("0.06")),
        ({"value": "100.405", "currency": "USD"}, Decimal("100.405")),
        ({"value": 0.06}, None),
        ({"value": 0.06, "currency": 5}, None),
        ({"value": 0.06, "currency": "eur"}, None),
        ({"currency": "usd"}, None),
        (None, None),
        ("0.06", None),
    ],
)
def test_costs_in_another_currency_are_unknown(amount: object, usd: Decimal | None) -> None:
    (cost,) = collected({"costs": results({"amount": amount})}).costs
    assert (None if isinstance(cost.usd, Unknown) else cost.usd) == usd


@pytest.mark.parametrize(
    "value",
    [None, -5, -0.5, "NaN", "Infinity", "1e999", "1e-999999", 1e308, [], True],
)
def test_an_impossible_amount_is_unknown(value: object) -> None:
    amount = {"value": value, "currency": "usd"}
    (cost,) = collected({"costs": results({"amount": amount})}).costs
    assert isinstance(cost.usd, Unknown)


def test_costs_of_zero_and_sums_are_exact() -> None:
    amounts = [{"amount": {"value": value, "currency": "usd"}} for value in (0.1, 0.2, 0)]
    (cost,) = collected({"costs": results(*amounts)}).costs
    assert cost.usd == Decimal("0.3")
    assert not collected({"costs": results(amounts[-1])}).costs


@pytest.mark.parametrize(
    ("row", "requests"),
    [
        ({"num_model_requests": 3}, 3),
        ({"num_requests": 3}, 3),
        ({"num_model_requests": 3, "num_requests": None}, 3),
        ({"num_model_requests": None}, None),
        ({}, None),
    ],
)
def test_a_missing_count_is_unknown(row: dict[str, Any], requests: int | None) -> None:
    (use,) = collected({"usage/completions": results(row)}).uses
    assert (None if isinstance(use.requests, Unknown) else use.requests) == requests


@pytest.mark.parametrize("body", [b"404 page not found", b"<html></html>", b"", {"status": 404}])
def test_a_missing_optional_endpoint_is_not_a_gap(body: object) -> None:
    assert is_complete(collected({DECISIONS: Reply(status=404, body=body)}).coverage)


def test_an_endpoint_that_lacks_a_later_page_is_a_gap() -> None:
    past = {"start_time": DAY["start_time"] - 20 * 86_400, "results": []}
    first = Reply(body={"data": [past], "has_more": True, "next_page": "2"})

    def reply(asked: Asked) -> Reply:
        if not asked.path.endswith(DECISIONS):
            return Reply()
        return Reply(status=404, body={"message": "no"}) if "page" in asked.query else first

    (gap,) = [row for row in asked_of(reply).coverage if row.state is not CoverageState.COMPLETE]
    assert (gap.collection, gap.endpoint.endswith(DECISIONS)) == (Collection.USAGE, True)
