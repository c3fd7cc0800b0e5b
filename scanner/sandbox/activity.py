"""Usage, costs and the audit log, as the Administration API returns them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from scanner.sandbox.organization import DAY, AuditEntry, KeyDay, SandboxOrganization
from scanner.sandbox.render import Body
from scanner.sandbox.request import Refusal, Request

_MOST_BUCKETS: Final = {"usage": 31, "costs": 180}
_BUCKETS: Final = 7
_SHAPES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "completions": ("completions", ("input_tokens", "output_tokens", "num_model_requests")),
    "decisions": ("decisions", ("input_tokens", "output_tokens", "num_model_requests")),
    "embeddings": ("embeddings", ("input_tokens", "num_model_requests")),
    "moderations": ("moderations", ("input_tokens", "num_model_requests")),
    "images": ("images", ("images", "num_model_requests")),
    "audio_speeches": ("audio_speeches", ("characters", "num_model_requests")),
    "audio_transcriptions": ("audio_transcriptions", ("seconds", "num_model_requests")),
    "file_search_calls": ("file_searches", ("num_requests",)),
    "web_search_calls": ("web_searches", ("num_model_requests", "num_requests")),
}
"""By endpoint: the object's name and its count fields."""


def usage_page(organization: SandboxOrganization, request: Request, what: str, now: int) -> Body:
    """Return one page of a usage endpoint, or of `costs`, in daily buckets.

    Grouped by key if the request has that parameter.
    """
    if what not in _SHAPES and what != "costs":
        raise Refusal(404, f"Invalid URL (GET {request.path})")
    if (request.one("bucket_width") or "1d") != "1d":
        raise Refusal(400, "The sandbox supports only buckets of 1d.", param="bucket_width")
    start = request.number("start_time")
    if start is None:
        raise Refusal(400, "Missing required parameter: 'start_time'.", param="start_time")
    most = _MOST_BUCKETS["costs" if what == "costs" else "usage"]
    limit = request.number("limit", 1, most) or _BUCKETS
    first = request.number("page") or start - start % DAY
    end = request.number("end_time") or now
    days = list(range(first, end, DAY))
    by_key = "api_key_id" in request.many("group_by")
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": day,
                "end_time": day + DAY,
                "results": list(_results(organization, what, day, by_key=by_key)),
            }
            for day in days[:limit]
        ],
        "has_more": limit < len(days),
        "next_page": str(days[limit]) if limit < len(days) else None,
    }


def _results(
    organization: SandboxOrganization, what: str, day: int, *, by_key: bool
) -> Iterator[Body]:
    groups: defaultdict[str | None, list[KeyDay]] = defaultdict(list)
    for row in organization.days.get(day, ()):
        if what in ("costs", row.endpoint):
            groups[row.key_id if by_key else None].append(row)
    for key_id, rows in groups.items():
        yield _costs(key_id, rows) if what == "costs" else _usage(what, key_id, rows)


def _usage(what: str, key_id: str | None, rows: list[KeyDay]) -> Body:
    name, counts = _SHAPES[what]
    requests = sum(row.requests for row in rows)
    return {
        "object": f"organization.usage.{name}.result",
        **dict.fromkeys(counts, requests),
        "project_id": None,
        "user_id": None,
        "api_key_id": key_id,
    }


def _costs(key_id: str | None, rows: list[KeyDay]) -> Body:
    return {
        "object": "organization.costs.result",
        "amount": {"value": sum(row.usd for row in rows), "currency": "usd"},
        "line_item": None,
        "project_id": None,
        "api_key_id": key_id,
    }


def audit_entries(organization: SandboxOrganization, request: Request) -> list[AuditEntry]:
    """Return the requested entries of the audit log, newest first."""
    types = request.many("event_types")
    targets = request.many("resource_ids")
    after = request.number("effective_at[gte]") or 0
    entries = (
        entry
        for entry in organization.audit_log
        if entry.at >= after
        and (not types or entry.type in types)
        and (not targets or entry.details.get("id") in targets)
    )
    return sorted(entries, key=lambda entry: (-entry.at, entry.id))
