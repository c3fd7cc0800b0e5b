"""The walk through one organization: everything that can be seen, and an account of the rest."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from scanner.collection import Collection
from scanner.errors import ApiError, ApiFailed, ApiNotFound
from scanner.inventory import (
    Coverage,
    CoverageState,
    Inventory,
    Key,
    KeyKind,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    ServiceAccount,
    Unknown,
    is_complete,
)
from scanner.openai_api import translate
from scanner.openai_api.activity import collect_activity
from scanner.openai_api.client import AdminClient
from scanner.openai_api.listing import Listing, Query
from scanner.openai_api.wire import (
    Page,
    WireAdminKey,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)
from scanner.plan import Plan
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
_ADMIN_PREFIX: Final = "sk-admin-"
# Without this the API leaves out the keys whose owner has lost access to the project.
_EVERY_OWNER: Final = {"owner_project_access": "any"}


def _now() -> datetime:
    return datetime.now(UTC)


class ApiCollector:
    """Collects over the Administration API what `plan` asks for.

    The projects' keys are asked for while later pages of projects are still being read.
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
        """Walk the organization; raise ApiError only if its projects cannot be listed at all."""
        return await _Walk(self._client, self._plan, self._progress).run(self._clock())


class _Walk:
    """What one walk has gathered so far."""

    def __init__(self, client: AdminClient, plan: Plan, progress: Progress | None) -> None:
        self._client = client
        self._plan = plan
        self._progress = progress
        self._coverage: list[Coverage] = []
        self._projects: dict[str, Project] = {}
        self._project_keys: dict[str, tuple[Key, ...]] = {}
        self._service_accounts: dict[str, tuple[ServiceAccount, ...]] = {}
        self._projects_done = 0
        self._keys_seen = 0

    async def run(self, now: datetime) -> Inventory:
        listing = Listing(self._client, _PROJECTS, Page[WireProject])
        async with asyncio.TaskGroup() as tasks:
            organization = tasks.create_task(self._organization())
            activity = tasks.create_task(collect_activity(self._client, self._plan, now))
            async for page in listing.pages():
                for wire in page:
                    project = translate.to_project(wire)
                    self._projects[project.id] = project
                    tasks.create_task(self._walk_project(project))
            coverage = listing.coverage()
            if not coverage.pages:
                organization.cancel()
                activity.cancel()
        if not coverage.pages:
            raise listing.error or ApiFailed("no projects", endpoint=coverage.endpoint)
        self._coverage.append(coverage)
        admin_keys, users = organization.result()
        self._coverage.extend(activity.result().coverage)
        return Inventory(
            organization=listing.organization,
            projects=tuple(self._projects.values()),
            keys=self._all_keys(admin_keys),
            users=tuple(translate.to_user(wire) for wire in users),
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

    async def _organization(self) -> tuple[tuple[WireAdminKey, ...], tuple[WireUser, ...]]:
        """List admin keys, then users: the owner of a key seen must stand in the later list."""
        admin_keys = await self._admin_keys()
        return admin_keys, await self._users()

    async def _users(self) -> tuple[WireUser, ...]:
        if not self._plan.asks_for(Collection.USERS):
            return ()
        listing = Listing(self._client, _USERS, Page[WireUser])
        items = await listing.items()
        self._coverage.append(listing.coverage())
        return items

    async def _admin_keys(self) -> tuple[WireAdminKey, ...]:
        listing = Listing(self._client, _ADMIN_KEYS, Page[WireAdminKey])
        items = await listing.items()
        self._coverage.append(listing.coverage())
        return items

    async def _walk_project(self, project: Project) -> None:
        """List one project's keys, and its service accounts where that can tell something."""
        await self._list_keys(project)
        if self._needs_accounts(project):
            await self._list_service_accounts(project)
        self._projects_done += 1
        if self._progress:
            self._progress.walked(
                projects=len(self._projects),
                projects_done=self._projects_done,
                keys=self._keys_seen,
            )

    async def _list_keys(self, project: Project) -> None:
        query = Query(
            collection=Collection.PROJECT_KEYS,
            path=f"{_project_path(project)}/api_keys",
            project_id=project.id,
            params=_EVERY_OWNER,
        )
        listing = Listing(self._client, query, Page[WireProjectKey])
        wires = await listing.items()
        self._project_keys[project.id] = tuple(
            translate.to_project_key(wire, project.id) for wire in wires
        )
        self._keys_seen += len(wires)
        await self._account(listing, project)

    def _needs_accounts(self, project: Project) -> bool:
        """Tell whether a key leaves it open if the service account that owns it still exists.

        A key whose owner has access answers for itself. The API answers 400 for an archived
        project's service accounts, so it is not asked.
        """
        if project.state is ProjectState.ARCHIVED:
            return False
        if self._plan.every_account:
            return True
        return self._plan.asks_for(Collection.SERVICE_ACCOUNTS) and any(
            key.owner.kind is not OwnerKind.USER and key.project_access is not ProjectAccess.ACTIVE
            for key in self._project_keys[project.id]
        )

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
        await self._account(listing, project)

    async def _account(
        self, listing: Listing[WireProjectKey] | Listing[WireServiceAccount], project: Project
    ) -> None:
        """Enter a project's listing into the ledger; 404 is believed only if the project is gone.

        The API may answer 404 for what the key may not see, and that must not pass for nothing.
        """
        account = listing.coverage()
        if isinstance(listing.error, ApiNotFound):
            try:
                await self._client.get(_project_path(project), {}, lambda _body: None)
            except ApiNotFound:
                account = replace(account, state=CoverageState.GONE)
            except ApiError as error:
                account = replace(account, reason=f"{account.reason}; then {error}")
        self._coverage.append(account)

    def _all_keys(self, admin_keys: Iterable[WireAdminKey]) -> tuple[Key, ...]:
        """Return every key once: admin listings have been seen to hold project keys.

        One that does not look like an admin key is one only if no project's keys are missing.
        """
        doubt = Unknown(reason="an admin listing holds it, and not all projects' keys were seen")
        is_certain = is_complete(
            row
            for row in self._coverage
            if row.collection in (Collection.PROJECTS, Collection.PROJECT_KEYS)
        )
        keys: dict[str, Key] = {}
        for project_id in self._projects:
            for key in self._project_keys.get(project_id, ()):
                keys.setdefault(key.id, key)
        for wire in admin_keys:
            looks_so = wire.redacted_value.startswith(_ADMIN_PREFIX)
            kind = KeyKind.ADMIN if looks_so or is_certain else doubt
            keys.setdefault(wire.id, translate.to_admin_key(wire, kind))
        return tuple(keys.values())

    def _ledger(self) -> tuple[Coverage, ...]:
        """Return the account by collection, then in the order of the projects' own listing."""
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
