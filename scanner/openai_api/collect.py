"""Collect one organization: everything the API lists, and the coverage of each listing."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from scanner.collection import Collection
from scanner.errors import ApiFailed
from scanner.inventory import (
    Coverage,
    CoverageState,
    Inventory,
    Key,
    KeyKind,
    Project,
    ServiceAccount,
    User,
)
from scanner.openai_api import translate
from scanner.openai_api.activity import collect_activity
from scanner.openai_api.client import AdminClient
from scanner.openai_api.listing import Listing, Query
from scanner.openai_api.pages import Page
from scanner.openai_api.wire import (
    WireAdminKey,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)
from scanner.plan import Plan, needs_accounts
from scanner.ports import Clock, Progress

_ROOT: Final = "/organization"
_PROJECTS: Final = Query(
    collection=Collection.PROJECTS,
    path=f"{_ROOT}/projects",
    params={"include_archived": "true"},
    never_empty=True,
)
_USERS: Final = Query(collection=Collection.USERS, path=f"{_ROOT}/users", never_empty=True)
_ADMIN_KEYS: Final = Query(collection=Collection.ADMIN_KEYS, path=f"{_ROOT}/admin_api_keys")
# Without this the API omits the keys whose owner has lost access to the project.
_ACCESS: Final = "owner_project_access"
_EVERY_OWNER: Final = {_ACCESS: "any"}
_HIDDEN: Final = (
    f"the API does not support {_ACCESS}=any: keys whose owner has lost access to the project may"
    " be missing"
)
_REJECTED: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


def _now() -> datetime:
    return datetime.now(UTC)


class ApiCollector:
    """Collects the listings in `plan` from the Administration API.

    Keys of projects are requested while later pages of projects are still being read.
    """

    def __init__(
        self,
        client: AdminClient,
        plan: Plan,
        progress: Progress | None = None,
        clock: Clock = _now,
    ) -> None:
        self._client = client
        self._plan = plan
        self._progress = progress
        self._clock = clock

    async def collect(self) -> Inventory:
        """Collect the organization; raise ApiError only if no page of projects can be read."""
        return await _Walk(self._client, self._plan, self._progress, self._clock).run()


class _Walk:
    """The state of one collection."""

    def __init__(
        self, client: AdminClient, plan: Plan, progress: Progress | None, clock: Clock
    ) -> None:
        self._client = client
        self._plan = plan
        self._progress = progress
        self._clock = clock
        self._clock_ahead: timedelta | None = None
        self._coverage: list[Coverage] = []
        self._projects: dict[str, Project] = {}
        self._project_keys: dict[str, tuple[Key, ...]] = {}
        self._service_accounts: dict[str, tuple[ServiceAccount, ...]] = {}
        self._without_access: set[str] = set()
        self._projects_done = 0
        self._keys_seen = 0

    async def run(self) -> Inventory:
        listing = Listing(self._client, _PROJECTS, Page[WireProject])
        async with asyncio.TaskGroup() as tasks:
            organization = tasks.create_task(self._organization())
            activity = tasks.create_task(collect_activity(self._client, self._plan, self._clock()))
            async for page in listing.pages():
                self._compare_clocks(listing.at)
                for wire in page:
                    project = translate.to_project(wire, listing.flaws(wire))
                    self._projects[project.id] = project
                    tasks.create_task(self._walk_project(project))
            coverage = listing.coverage()
            if not coverage.pages:
                organization.cancel()
                activity.cancel()
        if not coverage.pages:
            raise listing.error or ApiFailed(
                "No projects were collected.", endpoint=coverage.endpoint
            )
        self._coverage.append(coverage)
        admin_keys, users = organization.result()
        self._coverage.extend(activity.result().coverage)
        return Inventory(
            organization=listing.organization,
            projects=tuple(self._projects.values()),
            keys=self._all_keys(admin_keys),
            ambiguous=self._ambiguous(admin_keys),
            clock_ahead=self._clock_ahead,
            users=users,
            service_accounts=tuple(
                account
                for project_id in self._projects
                for account in self._service_accounts.get(project_id, ())
            ),
            coverage=self._ledger(),
            uses=activity.result().uses,
            costs=activity.result().costs,
            events=activity.result().events,
        )

    async def _organization(self) -> tuple[tuple[Key, ...], tuple[User, ...]]:
        """List admin keys, then users, so that the owner of every listed key is in the list."""
        admin_keys = await self._admin_keys()
        return admin_keys, await self._users()

    async def _users(self) -> tuple[User, ...]:
        if not self._plan.asks_for(Collection.USERS):
            return ()
        listing = Listing(self._client, _USERS, Page[WireUser])
        items = await listing.items()
        self._coverage.append(listing.coverage())
        return tuple(translate.to_user(wire, listing.flaws(wire)) for wire in items)

    async def _admin_keys(self) -> tuple[Key, ...]:
        listing = Listing(self._client, _ADMIN_KEYS, Page[WireAdminKey])
        items = await listing.items()
        self._coverage.append(listing.coverage())
        return tuple(translate.to_admin_key(wire, listing.flaws(wire)) for wire in items)

    async def _walk_project(self, project: Project) -> None:
        """List one project's keys, and its service accounts where a rule needs them."""
        await self._list_keys(project)
        if needs_accounts(self._plan, project, self._project_keys[project.id]):
            await self._list_service_accounts(project)
        self._projects_done += 1
        if self._progress:
            self._progress.walked(
                projects=len(self._projects),
                projects_done=self._projects_done,
                keys=self._keys_seen,
            )

    async def _list_keys(self, project: Project) -> None:
        """List one project's keys; retry without the parameter for APIs that do not know it."""
        query = Query(
            collection=Collection.PROJECT_KEYS,
            path=f"{_project_path(project)}/api_keys",
            project_id=project.id,
            params=_EVERY_OWNER,
        )
        listing = Listing(self._client, query, Page[WireProjectKey])
        wires = await listing.items()
        if _is_rejected(listing):
            older = Listing(self._client, replace(query, params={}), Page[WireProjectKey])
            rest = await older.items()
            if older.coverage().pages:
                listing, wires = older, rest
                self._without_access.add(project.id)
        if wires and not any(_ACCESS in wire.model_fields_set for wire in wires):
            self._without_access.add(project.id)
        self._project_keys[project.id] = tuple(
            translate.to_project_key(wire, project.id, listing.flaws(wire)) for wire in wires
        )
        self._keys_seen += len(wires)
        self._coverage.append(listing.coverage())

    async def _list_service_accounts(self, project: Project) -> None:
        query = Query(
            collection=Collection.SERVICE_ACCOUNTS,
            path=f"{_project_path(project)}/service_accounts",
            project_id=project.id,
        )
        listing = Listing(self._client, query, Page[WireServiceAccount])
        wires = await listing.items()
        self._service_accounts[project.id] = tuple(
            translate.to_service_account(wire, project.id) for wire in wires
        )
        self._coverage.append(listing.coverage())

    def _all_keys(self, admin_keys: Iterable[Key]) -> tuple[Key, ...]:
        """Return every key once: the admin listing sometimes contains project keys."""
        keys: dict[str, Key] = {}
        for project_id in self._projects:
            for key in self._project_keys.get(project_id, ()):
                keys.setdefault(key.id, key)
        for key in admin_keys:
            keys.setdefault(key.id, key)
        return tuple(keys.values())

    def _compare_clocks(self, at: datetime | None) -> None:
        """Keep the largest difference between this machine's clock and the API's."""
        if at is not None:
            ahead = self._clock() - at
            self._clock_ahead = max(self._clock_ahead or ahead, ahead, key=abs)

    def _ambiguous(self, admin_keys: Iterable[Key]) -> tuple[str, ...]:
        """Return the ids of more than one key: in two projects, or of an admin key as well.

        A project key in the admin listing is the same key, not another one.
        """
        listed = Counter(key.id for keys in self._project_keys.values() for key in keys)
        listed.update(key.id for key in admin_keys if key.kind is KeyKind.ADMIN)
        return tuple(sorted(key_id for key_id, count in listed.items() if count > 1))

    def _why_keys_may_be_hidden(self, row: Coverage) -> Coverage:
        """Mark a listing of keys as partial if the API omits keys of owners without access.

        An empty listing cannot show whether it does: the other listings decide then.
        """
        if row.collection is not Collection.PROJECT_KEYS:
            return row
        is_known = row.project_id in self._without_access
        others = sum(map(bool, self._project_keys.values()))
        is_likely = not row.items and 0 < others <= len(self._without_access)
        if row.state is not CoverageState.COMPLETE or not (is_known or is_likely):
            return row
        return replace(row, state=CoverageState.PARTIAL, reason=f"{row.endpoint}: {_HIDDEN}")

    def _ledger(self) -> tuple[Coverage, ...]:
        """Return the coverage, ordered by collection, then by the listing of projects."""
        hides = self._why_keys_may_be_hidden
        self._coverage = [hides(row) for row in self._coverage]
        places = {project_id: place for place, project_id in enumerate(self._projects)}
        collections = {collection: place for place, collection in enumerate(Collection)}
        return tuple(
            sorted(
                self._coverage,
                key=lambda row: (
                    collections[row.collection],
                    places.get(row.project_id or "", -1),
                    row.endpoint,
                ),
            )
        )


def _project_path(project: Project) -> str:
    return f"{_ROOT}/projects/{quote(project.id, safe='')}"


def _is_rejected(listing: Listing[WireProjectKey]) -> bool:
    """Return whether the API may not know the parameter: rejected, without any page."""
    status = listing.error.status if listing.error else None
    return status in _REJECTED and not listing.coverage().pages
