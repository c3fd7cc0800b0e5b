"""Optional listings: usage, costs and the audit log, for the use, costs and origin of keys.

Source: https://platform.openai.com/docs/api-reference/usage and .../audit-logs
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar

from scanner.collection import Collection
from scanner.errors import ApiError
from scanner.inventory import (
    AuditEvent,
    AuditKind,
    Coverage,
    CoverageState,
    KeyCost,
    KeyUse,
    Unknown,
)
from scanner.openai_api import translate
from scanner.openai_api.client import AdminClient, Answer, Params
from scanner.openai_api.listing import Listing, Query
from scanner.openai_api.pages import BucketPage, Page
from scanner.openai_api.translate import Flaws
from scanner.openai_api.wire import WireAmount, WireAuditEvent, WireBucket, WireUsageResult
from scanner.plan import Plan

Number = TypeVar("Number", int, Decimal)

_ROOT: Final = "/organization"
_DAYS: Final = 30
_BUCKETS: Final = 31
"""The maximum number of daily buckets in one page."""
USAGE_ENDPOINTS: Final = (
    "completions",
    "decisions",
    "embeddings",
    "moderations",
    "images",
    "audio_speeches",
    "audio_transcriptions",
    "file_search_calls",
    "web_search_calls",
)
"""All that can group by key; vector stores and code interpreter group by project only."""
_SDK_ONLY: Final = "decisions"
"""In the SDK, not in OpenAI's specification: a 404 means that the API does not offer it."""
_DAY: Final = timedelta(days=1)
_CLOCKS_DIFFER: Final = timedelta(days=2)
_CURRENCY: Final = "usd"
_COUNTS: Final = ("num_model_requests", "num_requests")
_AMOUNTS: Final = ("amount.value", "amount.currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The contents of the listings, and the coverage of each."""

    uses: tuple[KeyUse, ...] = ()
    costs: tuple[KeyCost, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    coverage: tuple[Coverage, ...] = ()


async def collect_activity(client: AdminClient, plan: Plan, now: datetime) -> Activity:
    """Collect the listings in `plan`; a failed listing is reported as a gap, not raised."""
    walk = _Walk(client, now)
    usage, costs, events = await asyncio.gather(
        walk.rows(Collection.USAGE) if plan.asks_for(Collection.USAGE) else _nothing(),
        walk.rows(Collection.COSTS) if plan.asks_for(Collection.COSTS) else _nothing(),
        walk.events() if plan.asks_for(Collection.AUDIT_LOGS) else _nothing(),
    )
    return Activity(
        uses=_uses(usage),
        costs=_costs(costs),
        events=events,
        coverage=tuple(walk.coverage),
    )


class _Row(NamedTuple):
    """One key's usage on one day; an invalid count or amount is Unknown."""

    key_id: str
    day: int
    requests: int | Unknown
    usd: Decimal | Unknown


class _Walk:
    def __init__(self, client: AdminClient, now: datetime) -> None:
        self.coverage: list[Coverage] = []
        self._client = client
        self._now = now
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._since = int((today - timedelta(days=_DAYS)).timestamp())

    async def rows(self, collection: Collection) -> tuple[_Row, ...]:
        """List the daily buckets of costs, or of all usage endpoints."""
        paths = [f"{_ROOT}/costs"]
        if collection is Collection.USAGE:
            paths = [f"{_ROOT}/usage/{endpoint}" for endpoint in USAGE_ENDPOINTS]
        listed = await asyncio.gather(*(self._days(collection, path) for path in paths))
        return tuple(row for rows in listed for row in rows)

    async def _days(self, collection: Collection, path: str) -> list[_Row]:
        params: Params = {
            "start_time": self._since,
            "bucket_width": "1d",
            "limit": _BUCKETS,
            "group_by[]": ("api_key_id",),
        }
        query = Query(collection=collection, path=path, params=params)
        listing = Listing(self._client, query, BucketPage, self._reaches_now)
        buckets = await listing.items()
        listing.lost += sum(_is_lost(bucket, listing.flaws(bucket)) for bucket in buckets)
        coverage = listing.coverage()
        if is_not_offered(path, listing.error) and not coverage.pages:
            reason = "the API does not offer it"
            coverage = replace(coverage, state=CoverageState.COMPLETE, reason=reason)
        self.coverage.append(coverage)
        latest = int((self._now + _CLOCKS_DIFFER).timestamp())
        return [
            row
            for bucket in buckets
            if self._since <= bucket.start_time <= latest
            for row in _rows(bucket, listing.flaws(bucket))
        ]

    def _reaches_now(self, answer: Answer[Page[WireBucket]]) -> bool:
        """Return whether a page contains the current day: some APIs offer a page beyond it."""
        now = max(self._now, answer.at or self._now).timestamp()
        return any(now - _DAY.total_seconds() < one.start_time <= now for one in answer.value.data)

    async def events(self) -> tuple[AuditEvent, ...]:
        """List the events about keys and their owners, newest first."""
        query = Query(
            collection=Collection.AUDIT_LOGS,
            path=f"{_ROOT}/audit_logs",
            params={"event_types[]": tuple(AuditKind)},
        )
        listing = Listing(self._client, query, Page[WireAuditEvent])
        wires = [(wire, listing.flaws(wire)) for wire in await listing.items()]
        listing.lost += sum(translate.is_lost(wire, flaws) for wire, flaws in wires)
        self.coverage.append(listing.coverage())
        return tuple(event for wire, flaws in wires if (event := translate.to_event(wire, flaws)))


def is_not_offered(path: str, error: ApiError | None) -> bool:
    """Return whether an endpoint is optional and the API does not have it."""
    return error is not None and error.status == HTTPStatus.NOT_FOUND and path.endswith(_SDK_ONLY)


async def _nothing() -> tuple[()]:
    """Return no rows, for a listing that is not in the plan."""
    return ()


def _is_lost(bucket: WireBucket, flaws: Flaws) -> bool:
    """Return whether a day's results are missing or invalid."""
    return "results" not in bucket.model_fields_set or flaws.of("results") is not None


def _rows(bucket: WireBucket, flaws: Flaws) -> Iterator[_Row]:
    for number, result in enumerate(bucket.results):
        if result.api_key_id is not None:
            path = f"results.{number}"
            yield _Row(
                result.api_key_id,
                bucket.start_time,
                _first_flaw(flaws, path, _COUNTS) or _requests(result),
                _first_flaw(flaws, path, _AMOUNTS) or _usd(result.amount or WireAmount()),
            )


def _first_flaw(flaws: Flaws, path: str, fields: Iterable[str]) -> Unknown | None:
    return next(filter(None, (flaws.of(f"{path}.{field}") for field in fields)), None)


def _requests(result: WireUsageResult) -> int | Unknown:
    counts = [n for n in (result.num_model_requests, result.num_requests) if n is not None]
    return sum(counts) if counts else Unknown(reason="the API did not return num_model_requests")


def _usd(amount: WireAmount) -> Decimal | Unknown:
    if amount.value == 0:
        return Decimal()
    if amount.value is None or not amount.currency:
        missing = "value" if amount.value is None else "currency"
        return Unknown(reason=f"the API did not return amount.{missing}")
    if amount.currency.lower() != _CURRENCY:
        return Unknown(reason=f"costs are in {amount.currency!r}, not in US dollars")
    return amount.value


def _uses(rows: Iterable[_Row]) -> tuple[KeyUse, ...]:
    requests: dict[str, int | Unknown] = {}
    newest: dict[str, int] = {}
    for key_id, day, count, _ in rows:
        if count != 0:
            requests[key_id] = _plus(requests.get(key_id, 0), count)
            newest[key_id] = max(newest.get(key_id, 0), day)
    return tuple(
        KeyUse(key_id=key, requests=requests[key], last_day=datetime.fromtimestamp(day, UTC))
        for key, day in newest.items()
    )


def _costs(rows: Iterable[_Row]) -> tuple[KeyCost, ...]:
    totals: dict[str, Decimal | Unknown] = {}
    for key_id, _, _, usd in rows:
        if usd != 0:
            totals[key_id] = _plus(totals.get(key_id, Decimal()), usd)
    return tuple(KeyCost(key_id=key, usd=usd) for key, usd in totals.items())


def _plus(total: Number | Unknown, more: Number | Unknown) -> Number | Unknown:
    """Add; if one part is Unknown, so is the sum, with the known parts as lower bound."""
    if not isinstance(total, Unknown) and not isinstance(more, Unknown):
        return total + more
    unknown = total if isinstance(total, Unknown) else more
    parts = [part.at_least if isinstance(part, Unknown) else part for part in (total, more)]
    known = sum(part for part in parts if part is not None)
    return replace(unknown, at_least=known or None) if isinstance(unknown, Unknown) else unknown
