"""One way to ask the Administration API: authenticated, bounded, patient, exact in its errors."""

import asyncio
import json
import os
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from scanner.display import visible
from scanner.errors import (
    ApiError,
    ApiFailed,
    ApiForbidden,
    ApiMalformed,
    ApiNotFound,
    ApiRejected,
    ApiUnreachable,
    UsageError,
)
from scanner.openai_api.retry import Backoff, asked_wait, should_retry
from scanner.secret import Secret, redact

_TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0, pool=None)
_READ_SCOPE: Final = "api.management.read"
_MESSAGE_LENGTH: Final = 300
# The last three are what the library lets through for an address that cannot be one.
_NO_ANSWER: Final = (httpx2.RequestError, httpx2.InvalidURL, OverflowError, UnicodeError)


class _Bearer(httpx2.Auth):
    """Puts the key on a request at the moment it leaves; nothing else ever holds the header."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer: its JSON text, the request's id and the organization it names."""

    body: bytes
    request_id: str | None
    organization: str | None


class AdminClient(AbstractAsyncContextManager["AdminClient"]):
    """Asks the API under `base_url`, at most `concurrency` requests at once.

    Redirects are not followed: the key goes to the address it was given for, and nowhere else.
    """

    def __init__(
        self,
        key: Secret,
        *,
        base_url: str,
        concurrency: int,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base_url = base_url
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._in_flight = asyncio.Semaphore(concurrency)
        self._key = key
        # Plain http is for loopback, where a proxy would only be handed the key.
        self._http = _http_client(key, concurrency, trust_env=base_url.startswith("https:"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str | int]) -> Answer:
        """Read one path below the base URL, asking again where that can help.

        Raise the ApiError that fits, naming `path` as its endpoint.
        """
        endpoint = f"GET {path}"
        attempt = 0
        while True:
            asked_for = None
            try:
                async with self._in_flight:
                    response = await self._http.get(f"{self._base_url}{path}", params=params)
            except _NO_ANSWER as error:
                failure: ApiError = _unreachable(error, endpoint, self._base_url)
                again = isinstance(error, httpx2.TransportError)
            else:
                if response.status_code == HTTPStatus.OK:
                    return _answer(response, endpoint)
                failure = _refused(response, endpoint, self._key)
                again = should_retry(response.status_code, response.headers)
                asked_for = asked_wait(response.headers, datetime.now(UTC))
            if not again or attempt >= self._backoff.retries:
                raise failure
            jitter = random.random()  # noqa: S311 - spreads waits, protects nothing
            await self._sleep(self._backoff.wait(attempt, asked_for, jitter))
            attempt += 1


def _http_client(key: Secret, concurrency: int, *, trust_env: bool) -> httpx2.AsyncClient:
    """Make the HTTP client; raise UsageError if the proxy or TLS settings around it are wrong."""
    try:
        return httpx2.AsyncClient(
            auth=_Bearer(key),
            headers={"User-Agent": "keyvigil", "Accept": "application/json"},
            limits=httpx2.Limits(
                max_connections=concurrency, max_keepalive_connections=concurrency
            ),
            timeout=_TIMEOUT,
            trust_env=trust_env,
        )
    except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        raise UsageError(
            f"The proxy or TLS settings of the environment cannot be used: {redact(str(error))}",
            help="Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from None


def _answer(response: httpx2.Response, endpoint: str) -> Answer:
    """Accept an answer that is JSON; a proxy's or a login page's HTML is not."""
    request_id = response.headers.get("x-request-id")
    if response.content.lstrip()[:1] != b"{":
        kind = response.headers.get("content-type", "something unnamed").partition(";")[0]
        raise ApiMalformed(
            f"{endpoint} was answered with {visible(kind)} instead of a JSON object.",
            endpoint=endpoint,
            request_id=request_id,
            help="A proxy or a login page may stand in between: check OPENAI_BASE_URL and the"
            " proxy settings (HTTPS_PROXY, NO_PROXY).",
        )
    return Answer(
        body=response.content,
        request_id=request_id,
        organization=response.headers.get("openai-organization"),
    )


def _refused(response: httpx2.Response, endpoint: str, key: Secret) -> ApiError:
    """Turn an error status into the error that says what to do about it."""
    status = response.status_code
    said = visible(redact(key.mask(_message(response))))[:_MESSAGE_LENGTH]
    request_id = response.headers.get("x-request-id")
    what = f"{endpoint} was answered {status}{f': {said}' if said else ''}"
    kind: type[ApiError] = ApiFailed
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN if "scope" in said.lower():
            kind, hint = ApiForbidden, f"Give the admin key the scope {_READ_SCOPE}."
        case HTTPStatus.UNAUTHORIZED:
            kind, hint = ApiRejected, "Check OPENAI_ADMIN_KEY: it may be mistyped or deleted."
        case HTTPStatus.FORBIDDEN if said:
            kind, hint = ApiForbidden, "Ask an organization owner for an admin key that may read."
        case HTTPStatus.NOT_FOUND:
            kind, hint = ApiNotFound, "Check OPENAI_BASE_URL: it ends in /v1 at OpenAI."
        case HTTPStatus.TOO_MANY_REQUESTS:
            hint = "Scan at a quieter time or lower KEYVIGIL_CONCURRENCY."
        case _ if not said:
            hint = "The answer is not the API's own: a proxy may stand in between."
        case _:
            hint = "Try again later; see https://status.openai.com."
    return kind(what, endpoint=endpoint, request_id=request_id, help=hint)


def _message(response: httpx2.Response) -> str:
    """Return the API's own error message as it is, or "" if the body is not one."""
    try:
        body: Any = json.loads(response.content)
    except (RecursionError, ValueError):
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


def _unreachable(error: Exception, endpoint: str, base_url: str) -> ApiUnreachable:
    """Say why no answer came, in the words of the error below."""
    if isinstance(error, httpx2.TimeoutException):
        why = f"no answer in time ({type(error).__name__})"
    else:
        why = _system_reason(error) or redact(str(error)) or type(error).__name__
    return ApiUnreachable(
        f"{base_url} cannot be reached: {visible(why)}",
        endpoint=endpoint,
        help="Check OPENAI_BASE_URL, the network and the proxy settings (HTTPS_PROXY, NO_PROXY).",
    )


def _system_reason(error: BaseException) -> str | None:
    """Return the operating system's own words from below an error, such as "Connection refused"."""
    reason = None
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            reason = f"TLS: {getattr(below, 'verify_message', '') or below.reason}"
        elif isinstance(below, OSError) and below.errno:
            reason = os.strerror(below.errno) if below.errno > 0 else below.strerror
        below = below.__cause__ or below.__context__
    return reason
