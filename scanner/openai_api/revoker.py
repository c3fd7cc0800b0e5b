"""The port Revoker: re-reads one key and requests one change of it, without retries.

Source: https://platform.openai.com/docs/api-reference/project-api-keys
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from scanner.errors import ApiError, ApiNotFound
from scanner.inventory import (
    Key,
    KeyKind,
    OwnerKind,
    Project,
    ProjectAccess,
    ServiceAccount,
    Unknown,
    User,
    oldest_first,
)
from scanner.openai_api import translate
from scanner.openai_api.client import AdminClient, Params
from scanner.openai_api.pages import Page, Record, parse_one, parse_page
from scanner.openai_api.translate import Flaws
from scanner.openai_api.wire import (
    WireAdminKey,
    WireAuditEvent,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)
from scanner.ports import Look
from scanner.receipt import Intent
from scanner.revocation import Method

_ROOT: Final = "/organization"
_SKEW: Final = timedelta(minutes=5)
"""How far the API's clock may be behind this machine's."""
_EVENTS: Final = 100

Value = TypeVar("Value")


class ApiRevoker(AbstractContextManager["ApiRevoker"]):
    """Reads and changes keys with one client, one request at a time."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._client.__aexit__(None, None, None))
        self._runner.close()

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        """Re-read a key and, if `whole`, also its owner and project; raise ApiError."""
        return self._run(self._look(key_id, project_id, whole=whole))

    def change(self, intent: Intent) -> str:
        """Request one change, without retries; return the request id. Raise ApiError."""
        path = _path(intent.key_id, intent.project_id)
        match intent.method:
            case Method.EXPIRE:
                body = {"expires_in_seconds": intent.expires_in}
                return self._run(self._client.change("POST", path, body))
            case Method.RESTRICT:
                if not intent.scopes:
                    raise ValueError("the API reads an empty list of scopes as all scopes")
                return self._run(self._client.change("POST", path, {"scopes": [*intent.scopes]}))
            case Method.DELETE:
                return self._run(self._client.change("DELETE", path))

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        """Return the scopes last set on a key since `since`, from the audit log; None if none.

        Raise ApiError if it cannot be read.
        """
        params: Params = {
            "limit": _EVENTS,
            "event_types[]": ("api_key.updated",),
            "resource_ids[]": (key_id,),
            "effective_at[gte]": int((since - _SKEW).timestamp()),
        }
        answer = self._run(self._client.get(f"{_ROOT}/audit_logs", params, _events))
        page = answer.value
        events = oldest_first(
            event
            for wire in page.data
            if (event := translate.to_event(wire, Flaws(page.invalid.get(wire.id, {}))))
        )
        given = [e.scopes for e in events if e.subject_id == key_id and e.scopes is not None]
        newest = given[-1] if given else None
        return None if isinstance(newest, Unknown) else newest

    async def _look(self, key_id: str, project_id: str | None, *, whole: bool) -> Look:
        try:
            key, at = await self._key(key_id, project_id)
        except ApiNotFound:
            if project_id is not None:  # else 404 may mean that the project is not visible
                await self._project(project_id)
            return Look(key=None)
        _check_identity(key.id, key_id, _path(key_id, project_id))
        if not whole:
            return Look(key=key, at=at)
        project = None if project_id is None else await self._project(project_id)
        return Look(key=key, owner=await self._owner(key), project=project, at=at)

    async def _key(self, key_id: str, project_id: str | None) -> tuple[Key, datetime | None]:
        path = _path(key_id, project_id)
        if project_id is None:
            admin = await self._client.get(path, {}, lambda body: parse_one(body, WireAdminKey))
            return translate.to_admin_key(admin.value.item, _flaws(path, admin.value)), admin.at
        project = await self._client.get(path, {}, lambda body: parse_one(body, WireProjectKey))
        flaws = _flaws(path, project.value)
        return translate.to_project_key(project.value.item, project_id, flaws), project.at

    async def _project(self, project_id: str) -> Project:
        path = _project(project_id)
        answer = await self._client.get(path, {}, lambda body: parse_one(body, WireProject))
        _check_identity(answer.value.item.id, project_id, path)
        return translate.to_project(answer.value.item, _flaws(path, answer.value))

    async def _owner(self, key: Key) -> User | ServiceAccount | None:
        """Read the key's owner; None if it no longer exists or the key does not name it.

        Raise ApiError if the owner is not found although the key lists it as having access.
        """
        owner = key.owner
        if isinstance(owner.id, Unknown):
            return None
        try:
            if owner.kind is OwnerKind.USER:
                path = f"{_ROOT}/users/{quote(owner.id, safe='')}"
                user = await self._client.get(path, {}, lambda body: parse_one(body, WireUser))
                _check_identity(user.value.item.id, owner.id, path)
                return translate.to_user(user.value.item, _flaws(path, user.value))
            if owner.kind is OwnerKind.SERVICE_ACCOUNT and key.kind is KeyKind.PROJECT:
                of_project = _project(str(key.project_id))
                path = f"{of_project}/service_accounts/{quote(owner.id, safe='')}"
                account = await self._client.get(
                    path, {}, lambda body: parse_one(body, WireServiceAccount)
                )
                _check_identity(account.value.item.id, owner.id, path)
                return translate.to_service_account(account.value.item, str(key.project_id))
        except ApiNotFound as error:
            if key.project_access is ProjectAccess.ACTIVE:
                raise ApiError(
                    f"The owner {owner.id} was not found, although the key lists it as having"
                    " access. No change was requested.",
                    endpoint=error.endpoint,
                    help="Scan again: a scan reads both the key and its owner.",
                ) from None
            return None
        return None

    def _run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self._runner.run(work)


def _check_identity(found: str, requested: str, path: str) -> None:
    """Raise ApiError for a response with another object's id."""
    if found != requested:
        raise ApiError(
            f"The API returned another object than the requested {requested}.",
            endpoint=f"GET {path}",
            help="Report it to OpenAI.",
        )


def _flaws(path: str, record: Record[Any]) -> Flaws:
    return Flaws(record.invalid, f"GET {path}")


def _events(body: bytes) -> Page[WireAuditEvent]:
    return parse_page(body, Page[WireAuditEvent])


def _project(project_id: str) -> str:
    return f"{_ROOT}/projects/{quote(project_id, safe='')}"


def _path(key_id: str, project_id: str | None) -> str:
    key = quote(key_id, safe="")
    return (
        f"{_project(project_id)}/api_keys/{key}" if project_id else f"{_ROOT}/admin_api_keys/{key}"
    )
