"""One request for one item to each endpoint of a scan: what the admin key can read."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import httpx2

from scanner.checkup import Asked
from scanner.collection import Collection
from scanner.errors import ApiError, ApiRejected, ApiUnreachable
from scanner.openai_api.activity import USAGE_ENDPOINTS, is_not_offered
from scanner.openai_api.client import Params
from scanner.openai_api.connections import Connections, Network
from scanner.openai_api.failures import (
    NO_ANSWER,
    malformed,
    not_json,
    refused,
    unreachable,
    unread,
)
from scanner.openai_api.pages import BucketPage, Page, parse_page
from scanner.openai_api.retry import told_time
from scanner.openai_api.salvage import MalformedBodyError
from scanner.openai_api.wire import (
    WireAdminKey,
    WireAuditEvent,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)
from scanner.ports import Clock
from scanner.secret import Secret

_ROOT: Final = "/organization"
_ONE: Final[Mapping[str, str | int]] = {"limit": 1}
_BY_KEY: Final = ("api_key_id",)
_TIMEOUT: Final = 20.0
_DAY: Final = timedelta(days=1)


class _Question(NamedTuple):
    """One request, and the page model that parses its response."""

    collection: Collection
    path: str
    page: type[Page[Any]]
    params: Params = _ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The result for each endpoint, and how far this machine's clock is ahead of the API's.

    `is_named`: whether the API named the organization; None if it did not respond.
    """

    asked: tuple[Asked, ...]
    skew: timedelta | None
    is_named: bool | None = None


async def probe(key: Secret, base_url: str, clock: Clock, network: Network | None = None) -> Probed:
    """Request each endpoint once, without retries; raise UsageError for TLS or proxy settings.

    If the first request finds the key rejected or the API unreachable, the others are skipped.
    """
    way = replace(network or Network(), timeout=_TIMEOUT)
    asking = _Asking(key, base_url, clock, way)
    try:
        return await asking.everything()
    finally:
        await asking.connections.aclose()


class _Asking:
    def __init__(self, key: Secret, base_url: str, clock: Clock, network: Network) -> None:
        self.connections = Connections(key, base_url, network)
        self._key, self._base_url, self._clock = key, base_url, clock
        self._skew: timedelta | None = None
        self._is_named: bool | None = None

    async def everything(self) -> Probed:
        # Without archived projects: service accounts cannot be listed for those.
        first = _Question(Collection.PROJECTS, f"{_ROOT}/projects", Page[WireProject])
        projects, found = await self._ask(first)
        questions = list(_of_the_organization(self._clock()))
        if isinstance(projects.error, ApiRejected | ApiUnreachable):
            left = (*questions, *_of_a_project(""))
            is_taken = isinstance(projects.error, ApiUnreachable)
            why = "the API is unreachable" if is_taken else "the API rejects the key"
            rest = [_not_asked(one, why) for one in left]
            return Probed(asked=(projects, *rest), skew=self._skew)
        if found is not None and found.data:
            questions += _of_a_project(found.data[0].id)
            rest = []
        else:
            rest = [_not_asked(one, "no project was listed") for one in _of_a_project("")]
        answers = await asyncio.gather(*(self._ask(one) for one in questions))
        asked = (projects, *(answer for answer, _ in answers), *rest)
        return Probed(asked=asked, skew=self._skew, is_named=self._is_named)

    async def _ask(self, question: _Question) -> tuple[Asked, Page[Any] | None]:
        endpoint = f"GET {question.path}"
        error: ApiError | None = None
        page: Page[Any] | None = None
        url = f"{self._base_url}{question.path}?{urlencode(question.params, doseq=True)}"
        try:
            response = await self.connections.request("GET", url)
        except (*NO_ANSWER, TimeoutError) as failure:
            error = unreachable(failure, endpoint, self._base_url)
        else:
            self._compare_clocks(response)
            if response.status_code != HTTPStatus.OK:
                error = refused(response, endpoint, self._key)
            else:
                self._is_named = self._is_named or bool(response.headers.get("openai-organization"))
                page, error = _read(response, endpoint, question.page)
        if is_not_offered(question.path, error):
            error = None
        return Asked(collection=question.collection, endpoint=endpoint, error=error), page

    def _compare_clocks(self, response: httpx2.Response) -> None:
        told = told_time(response.headers)
        if told is not None:
            self._skew = self._clock() - told


def _read(
    response: httpx2.Response, endpoint: str, kind: type[Page[Any]]
) -> tuple[Page[Any] | None, ApiError | None]:
    error = not_json(response, endpoint)
    if error is not None:
        return None, error
    request_id = response.headers.get("x-request-id")
    try:
        page = parse_page(response.content, kind)
    except MalformedBodyError as problem:
        return None, unread(problem, endpoint, request_id)
    if page.lost:
        return page, malformed("a record has no usable id", endpoint, request_id)
    return page, None


def _of_the_organization(now: datetime) -> tuple[_Question, ...]:
    since = int((now - _DAY).timestamp())
    days: Params = {**_ONE, "start_time": since, "bucket_width": "1d", "group_by[]": _BY_KEY}
    return (
        _Question(Collection.USERS, f"{_ROOT}/users", Page[WireUser]),
        _Question(Collection.ADMIN_KEYS, f"{_ROOT}/admin_api_keys", Page[WireAdminKey]),
        *(
            _Question(Collection.USAGE, f"{_ROOT}/usage/{name}", BucketPage, days)
            for name in USAGE_ENDPOINTS
        ),
        _Question(Collection.COSTS, f"{_ROOT}/costs", BucketPage, days),
        _Question(Collection.AUDIT_LOGS, f"{_ROOT}/audit_logs", Page[WireAuditEvent]),
    )


def _of_a_project(project_id: str) -> tuple[_Question, ...]:
    path = f"{_ROOT}/projects/{quote(project_id, safe='') or '{id}'}"
    any_owner: Params = {**_ONE, "owner_project_access": "any"}
    return (
        _Question(Collection.PROJECT_KEYS, f"{path}/api_keys", Page[WireProjectKey], any_owner),
        _Question(
            Collection.SERVICE_ACCOUNTS, f"{path}/service_accounts", Page[WireServiceAccount]
        ),
    )


def _not_asked(question: _Question, why: str) -> Asked:
    return Asked(collection=question.collection, endpoint=f"GET {question.path}", skipped=why)
