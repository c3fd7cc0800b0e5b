"""What keys did, cost and came from: usage, costs and the audit log. All of it is optional.

Source: https://platform.openai.com/docs/api-reference/usage and .../audit-logs
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scanner.collection import Collection
from scanner.inventory import AuditEvent, AuditKind, Coverage, KeyCost, KeyUse
from scanner.openai_api import translate
from scanner.openai_api.client import AdminClient, Params
from scanner.openai_api.listing import Listing, Query
from scanner.openai_api.wire import BucketPage, Page, WireAuditEvent, WireBucket
from scanner.plan import Plan

_ROOT: Final = "/organization"
_DAYS: Final = 30
_BUCKETS: Final = 31
"""The most daily buckets that one page can hold."""
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
"""All that group by key; the others (vector stores, code interpreter) know only projects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What the listings told, and how each of them went."""

    uses: tuple[KeyUse, ...] = ()
    costs: tuple[KeyCost, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    coverage: tuple[Coverage, ...] = ()


async def collect_activity(client: AdminClient, plan: Plan, now: datetime) -> Activity:
    """Ask for as much of it as the plan wants; a listing that fails is a gap, and no more."""
    walk = _Walk(client, now)
    usage, costs, events = await asyncio.gather(
        walk.buckets(Collection.USAGE) if plan.asks_for(Collection.USAGE) else _nothing(),
        walk.buckets(Collection.COSTS) if plan.asks_for(Collection.COSTS) else _nothing(),
        walk.events() if plan.asks_for(Collection.AUDIT_LOGS) else _nothing(),
    )
    return Activity(
        uses=_uses(usage),
        costs=_costs(costs),
        events=tuple(event for wire in events if (event := translate.to_event(wire))),
        coverage=tuple(walk.coverage),
    )


class _Walk:
    def __init__(self, client: AdminClient, now: datetime) -> None:
        self.coverage: list[Coverage] = []
        self._client = client
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._since = int((today - timedelta(days=_DAYS)).timestamp())

    async def buckets(self, collection: Collection) -> tuple[WireBucket, ...]:
        """List the days of costs, or of every usage endpoint."""
        paths = [f"{_ROOT}/costs"]
        if collection is Collection.USAGE:
            paths = [f"{_ROOT}/usage/{endpoint}" for endpoint in USAGE_ENDPOINTS]
        listed = await asyncio.gather(*(self._days(collection, path) for path in paths))
        return tuple(bucket for buckets in listed for bucket in buckets)

    async def _days(self, collection: Collection, path: str) -> tuple[WireBucket, ...]:
        params: Params = {
            "start_time": self._since,
            "bucket_width": "1d",
            "limit": _BUCKETS,
            "group_by[]": ("api_key_id",),
        }
        query = Query(collection=collection, path=path, params=params)
        listing = Listing(self._client, query, BucketPage)
        buckets = await listing.items()
        self.coverage.append(listing.coverage())
        return buckets

    async def events(self) -> tuple[WireAuditEvent, ...]:
        """List the events about keys, newest first."""
        query = Query(
            collection=Collection.AUDIT_LOGS,
            path=f"{_ROOT}/audit_logs",
            params={"event_types[]": tuple(AuditKind)},
        )
        listing = Listing(self._client, query, Page[WireAuditEvent])
        events = await listing.items()
        self.coverage.append(listing.coverage())
        return events


async def _nothing() -> tuple[()]:
    """Ask for nothing."""
    return ()


def _uses(buckets: Iterable[WireBucket]) -> tuple[KeyUse, ...]:
    requests: Counter[str] = Counter()
    newest: dict[str, int] = {}
    for bucket in buckets:
        for result in bucket.results:
            count = (result.num_model_requests or 0) + (result.num_requests or 0)
            if result.api_key_id is not None and count > 0:
                requests[result.api_key_id] += count
                last = newest.get(result.api_key_id, 0)
                newest[result.api_key_id] = max(last, bucket.start_time)
    return tuple(
        KeyUse(key_id=key, requests=requests[key], last_day=datetime.fromtimestamp(day, UTC))
        for key, day in newest.items()
    )


def _costs(buckets: Iterable[WireBucket]) -> tuple[KeyCost, ...]:
    totals: defaultdict[str, float] = defaultdict(float)
    for bucket in buckets:
        for result in bucket.results:
            if result.api_key_id is not None and result.amount and result.amount.value:
                totals[result.api_key_id] += result.amount.value
    return tuple(KeyCost(key_id=key, usd=usd) for key, usd in totals.items())
