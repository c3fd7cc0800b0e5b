"""Read one listing of the API from its first to its last page, and record its coverage."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic

from scanner.collection import Collection
from scanner.errors import ApiError, ApiMalformed
from scanner.inventory import Coverage, CoverageState
from scanner.openai_api.client import AdminClient, Answer, Params
from scanner.openai_api.failures import malformed
from scanner.openai_api.pages import Item, Page, parse_page
from scanner.openai_api.translate import VALID, Flaws

PAGE_SIZE: Final = 100
MAX_PAGES: Final = 5_000
MAX_RECORDS: Final = 250_000
"""Records of one listing; the rest is reported as a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list: a path below the base URL; `project_id` if it belongs to one project.

    `never_empty`: every organization has at least one item, so an empty listing is an error.
    """

    collection: Collection
    path: str
    project_id: str | None = None
    params: Params = field(default_factory=dict)
    never_empty: bool = False


class Listing(Generic[Item]):
    """Reads one listing. An error ends it, and is in `error` and `coverage`.

    `organization` and `at` are the name and the time in the latest response.
    `is_end` returns whether the listing may end after a page although the API has more.
    """

    def __init__(
        self,
        client: AdminClient,
        query: Query,
        page: type[Page[Item]],
        is_end: Callable[[Answer[Page[Item]]], bool] | None = None,
    ) -> None:
        self.error: ApiError | None = None
        self.organization: str | None = None
        self.at: datetime | None = None
        self.lost = 0
        self._is_end: Callable[[Answer[Page[Item]]], bool] | None = is_end
        self._invalid: dict[str, Mapping[str, str]] = {}
        self._client = client
        self._query = query
        self._page: type[Page[Item]] = page
        self._pages = 0
        self._ids: set[str] = set()
        self._finished = False

    async def pages(self) -> AsyncIterator[tuple[Item, ...]]:
        """Yield each page's items, each id once; on an ApiError set `error` and stop."""
        cursor: str | None = None
        cursors: set[str] = set()
        while True:
            try:
                answer = await self._read(cursor)
            except ApiError as error:
                self.error = error
                return
            page = answer.value
            self._pages += 1
            self.lost += page.lost
            yield self._first_seen(page)
            cursor = page.cursor()
            is_enough = self._is_end is not None and self._is_end(answer)
            if page.has_more and cursor is None and not is_enough:
                self.error = self._impossible(
                    "has_more is true, but the next page's cursor is missing"
                )
                return
            is_end = cursor is None or is_enough
            if is_end and self._query.never_empty and not self._ids:
                self.error = self._impossible(
                    "the listing is empty, but every organization has at least one item"
                )
                return
            if cursor is None or is_end:
                self._finished = True
                return
            if self._pages >= MAX_PAGES or len(self._ids) >= MAX_RECORDS:
                self.error = self._endless()
                return
            if cursor in cursors:
                self.error = self._impossible(f"the cursor {cursor} was returned twice")
                return
            cursors.add(cursor)

    async def items(self) -> tuple[Item, ...]:
        """Return the items of all pages together."""
        return tuple([item async for page in self.pages() for item in page])

    def flaws(self, item: Item) -> Flaws:
        """Return the invalid fields of a record."""
        fields = self._invalid.get(item.id)
        if not fields:
            return VALID
        return Flaws(fields, f"GET {self._query.path}, {item.id}")

    def coverage(self) -> Coverage:
        """Return the coverage so far; records without a usable id count as not collected."""
        reason = str(self.error) if self.error else None
        if self.lost:
            lost = f"{_counted(self.lost)} without a usable id"
            reason = f"{reason}; {lost}" if reason else f"GET {self._query.path} returned {lost}"
        if self._finished and not self.lost:
            state = CoverageState.COMPLETE
        else:
            state = CoverageState.PARTIAL if self._pages else CoverageState.UNAVAILABLE
        return Coverage(
            collection=self._query.collection,
            project_id=self._query.project_id,
            endpoint=f"GET {self._query.path}",
            pages=self._pages,
            items=len(self._ids),
            state=state,
            reason=reason,
            request_id=self.error.request_id if self.error else None,
        )

    async def _read(self, cursor: str | None) -> Answer[Page[Item]]:
        params: dict[str, str | int | tuple[str, ...]] = {"limit": PAGE_SIZE, **self._query.params}
        if cursor is not None:
            params[self._page.cursor_parameter] = cursor
        # Pages can only be read one after the other, so a listing that has begun goes first.
        first = cursor is not None or self._query.project_id is None
        answer = await self._client.get(
            self._query.path, params, lambda body: parse_page(body, self._page), first=first
        )
        self.organization, self.at = answer.organization, answer.at
        return answer

    def _first_seen(self, page: Page[Item]) -> tuple[Item, ...]:
        """Drop items of earlier pages: items move between pages while a listing is read."""
        fresh: dict[str, Item] = {}
        for item in page.data:
            if item.id not in self._ids:
                fresh.setdefault(item.id, item)
                if page.invalid.get(item.id):
                    self._invalid.setdefault(item.id, page.invalid[item.id])
        self._ids.update(fresh)
        return tuple(fresh.values())

    def _endless(self) -> ApiMalformed:
        endpoint = f"GET {self._query.path}"
        return ApiMalformed(
            f"{endpoint} did not end within {MAX_PAGES:,} pages and {MAX_RECORDS:,} records.",
            endpoint=endpoint,
            help="Check OPENAI_BASE_URL; if the organization is that large, report an issue.",
        )

    def _impossible(self, what: str) -> ApiMalformed:
        return malformed(what, f"GET {self._query.path}", None)


def _counted(records: int) -> str:
    return "1 record" if records == 1 else f"{records:,} records"
