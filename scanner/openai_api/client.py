"""The Administration API client: authentication, limits, retries and typed errors."""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Final, Generic, NamedTuple, Self, TypeVar
from urllib.parse import urlencode

import httpx2

from scanner.errors import ApiError, ApiFailed
from scanner.openai_api.connections import Body, Connections, Network
from scanner.openai_api.failures import NO_ANSWER, not_json, refused, unreachable, unread
from scanner.openai_api.pace import Pace
from scanner.openai_api.retry import Backoff, asked_wait, should_retry, told_time
from scanner.openai_api.salvage import MalformedBodyError
from scanner.secret import Secret

Params = Mapping[str, str | int | tuple[str, ...]]
Value = TypeVar("Value")

_OVERLOAD: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Value]):
    """A successful response: its parsed value, the request id and the organization's name.

    `at` is the time of the API's clock, None if the response has no date.
    """

    value: Value
    request_id: str | None
    organization: str | None
    at: datetime | None = None


class _Request(NamedTuple):
    method: str
    path: str
    query: str = ""
    body: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A failed attempt; `pause` is how long all requests should wait, in seconds."""

    error: ApiError
    tries: int
    is_overload: bool = False
    is_rate: bool = False
    pause: float | None = None


class AdminClient(AbstractAsyncContextManager["AdminClient"]):
    """Sends requests to `base_url` at the rate of `pace`; calls `asks_again` before each retry."""

    def __init__(  # noqa: PLR0913 - the parts of a client, all by keyword
        self,
        key: Secret,
        *,
        base_url: str,
        pace: Pace,
        backoff: Backoff | None = None,
        asks_again: Callable[[ApiError, float], None] | None = None,
        network: Network | None = None,
    ) -> None:
        self._base_url = base_url
        self._pace = pace
        self._backoff = backoff or Backoff()
        self._asks_again = asks_again
        self._key = key
        self._connections = Connections(key, base_url, network or Network())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connections.aclose()

    async def get(
        self, path: str, params: Params, read: Callable[[bytes], Value], *, first: bool = False
    ) -> Answer[Value]:
        """Get one path below the base URL and parse the body with `read`; retry where useful.

        `first`: before other waiting requests, because more requests depend on this one. `read`
        raises MalformedBodyError. Raise an ApiError that names the endpoint.
        """
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        request = _Request("GET", path, query)
        attempt = 0
        while True:
            outcome = await self._attempt(request, read, first=first)
            if isinstance(outcome, Answer):
                self._pace.went_well()
                return outcome
            attempt += 1
            if attempt >= outcome.tries or self._pace.is_over or not self._pace.may_retry():
                raise outcome.error
            jitter = random.random()  # noqa: S311 - spreads waits, not for security
            wait = self._backoff.wait(attempt - 1, outcome.pause, jitter)
            if self._asks_again:
                self._asks_again(outcome.error, wait)
            if outcome.is_overload:
                self._pace.overloaded(wait, is_rate=outcome.is_rate)
            else:
                await self._pace.rest(wait)

    async def change(self, method: str, path: str, body: Body | None = None) -> str:
        """Request a change once, without retries; return the request id.

        Raise an ApiError. Only a 4xx status means that the change was not made.
        """
        outcome = await self._attempt(_Request(method, path, body=body), len)
        if isinstance(outcome, Answer):
            return outcome.request_id or ""
        raise outcome.error

    async def _attempt(
        self, request: _Request, read: Callable[[bytes], Value], *, first: bool = False
    ) -> Answer[Value] | _Failure:
        endpoint = f"{request.method} {request.path}"
        url = f"{self._base_url}{request.path}{request.query}"
        try:
            async with self._pace.turn(first=first):
                if self._pace.is_over:
                    return _Failure(error=self._too_late(endpoint), tries=1)
                response = await self._connections.request(request.method, url, request.body)
        except NO_ANSWER as error:
            tries = self._backoff.tries if isinstance(error, httpx2.TransportError) else 1
            return _Failure(error=unreachable(error, endpoint, self._base_url), tries=tries)
        except TimeoutError as error:
            if self._pace.was_told_to_end:
                return _Failure(error=self._too_late(endpoint), tries=1)
            late = unreachable(error, endpoint, self._base_url)
            return _Failure(error=late, tries=self._backoff.tries)
        if response.status_code != HTTPStatus.OK:
            return self._refusal(response, endpoint)
        return self._reading(response, endpoint, read)

    def _refusal(self, response: httpx2.Response, endpoint: str) -> _Failure:
        again = should_retry(response.status_code, response.headers)
        return _Failure(
            error=refused(response, endpoint, self._key),
            tries=self._backoff.tries if again else 1,
            is_overload=response.status_code in _OVERLOAD,
            is_rate=response.status_code == HTTPStatus.TOO_MANY_REQUESTS,
            pause=asked_wait(response.headers, datetime.now(UTC)),
        )

    def _reading(
        self, response: httpx2.Response, endpoint: str, read: Callable[[bytes], Value]
    ) -> Answer[Value] | _Failure:
        """Parse the body; a retry helps only if it is not JSON or is truncated."""
        error = not_json(response, endpoint)
        if error is not None:
            return _Failure(error=error, tries=self._backoff.tries)
        request_id = response.headers.get("x-request-id")
        try:
            return Answer(
                value=read(response.content),
                request_id=request_id,
                organization=response.headers.get("openai-organization"),
                at=told_time(response.headers),
            )
        except MalformedBodyError as problem:
            failed = unread(problem, endpoint, request_id)
            return _Failure(error=failed, tries=self._backoff.tries if problem.is_torn else 1)

    def _too_late(self, endpoint: str) -> ApiFailed:
        if self._pace.was_told_to_end:
            return ApiFailed(
                f"{endpoint} was not collected: the scan was stopped.",
                endpoint=endpoint,
                help="Scan again.",
            )
        return ApiFailed(
            f"{endpoint} was not requested: the scan's deadline had passed.",
            endpoint=endpoint,
            help="Raise --deadline.",
        )
