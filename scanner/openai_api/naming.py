"""Identify an admin key's organization before the scan: its name and its projects' ids."""

from dataclasses import dataclass
from typing import Final

from scanner.openai_api.client import AdminClient, Params
from scanner.openai_api.listing import MAX_PAGES
from scanner.openai_api.salvage import MalformedBodyError, read_json

_PATH: Final = "/organization/projects"
_PARAMS: Final[Params] = {"limit": 100, "include_archived": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The organization's name as the API returns it, None without one, and ids of its projects.

    `is_all`: whether `project_ids` is complete.
    """

    name: str | None
    project_ids: frozenset[str]
    is_all: bool


async def read_name(client: AdminClient) -> Named:
    """Read the first page of projects without validating its records; raise ApiError."""
    answer = await client.get(_PATH, _PARAMS, _page)
    ids, cursor = answer.value
    return Named(name=answer.organization or None, project_ids=ids, is_all=cursor is None)


async def read_project_ids(client: AdminClient) -> frozenset[str]:
    """Read all pages of projects, at most MAX_PAGES; raise ApiError."""
    found: set[str] = set()
    cursor: str | None = ""
    cursors: set[str] = set()
    while cursor is not None and cursor not in cursors and len(cursors) < MAX_PAGES:
        cursors.add(cursor)
        params = {**_PARAMS, "after": cursor} if cursor else _PARAMS
        ids, cursor = (await client.get(_PATH, params, _page)).value
        found |= ids
    return frozenset(found)


def _page(body: bytes) -> tuple[frozenset[str], str | None]:
    """Return a page's ids and the next cursor; the scan itself reports invalid records."""
    try:
        page = read_json(body)
    except MalformedBodyError:
        return frozenset(), None
    data = page.get("data") if isinstance(page, dict) else None
    records = data if isinstance(data, list) else []
    ids = [one["id"] for one in records if isinstance(one, dict) and isinstance(one.get("id"), str)]
    if not ids or page.get("has_more") is False:
        return frozenset(ids), None
    last = page.get("last_id")
    return frozenset(ids), last if isinstance(last, str) and last else ids[-1]
