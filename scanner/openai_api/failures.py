"""A failed request -> the error that describes it, with a help line."""

import codecs
import os
import re
import ssl
from http import HTTPStatus
from typing import Final

import httpx2

from scanner.collection import OPTIONAL, READ_SCOPE, SCOPES, WRITE_SCOPE
from scanner.display import visible
from scanner.errors import (
    ApiError,
    ApiFailed,
    ApiForbidden,
    ApiMalformed,
    ApiNotFound,
    ApiRejected,
    ApiUnreachable,
)
from scanner.openai_api.bodies import TooLargeError
from scanner.openai_api.pages import message_of, texts_of
from scanner.openai_api.salvage import MalformedBodyError, read_json
from scanner.secret import Secret, redact

NO_ANSWER: Final = (httpx2.RequestError, httpx2.InvalidURL, OverflowError, UnicodeError)
"""Exceptions of a request without a response; the last three are raised for invalid addresses."""

_CHECK_KEY: Final = (
    "Check the admin key (OPENAI_ADMIN_KEY, or the source named in the settings): it may be"
    " mistyped or deleted."
)
_MESSAGE_LENGTH: Final = 300
_TEXT_READ: Final = 4_000
"""Bytes read of a plain-text error."""
_PART_OF_KEY: Final = re.compile(r"\bsk-[\w-]*\*+[\w-]*")
"""The API echoes an unknown key with its middle masked."""
_TLS: Final = "TLS: "
_LATER: Final = "Try again later; see https://status.openai.com."
_MISSING_SCOPE: Final = "missing scope"


def malformed(what: str, endpoint: str, request_id: str | None) -> ApiMalformed:
    """Return the error for a response that does not match the API's specification."""
    return ApiMalformed(
        f"{endpoint} returned an unexpected response: {_shown(what)}",
        endpoint=endpoint,
        request_id=request_id,
        help="Update KeyVigil; if the error persists, report it with the request id.",
    )


def unread(problem: MalformedBodyError, endpoint: str, request_id: str | None) -> ApiError:
    """Return the error for a response with status 200 whose body is not the requested data."""
    message = str(problem)
    if not problem.is_reported:
        return malformed(message, endpoint, request_id)
    kind: type[ApiError] = ApiFailed
    hint = _LATER
    if _MISSING_SCOPE in message.lower():
        kind, hint = ApiForbidden, _give_scope(endpoint)
    what = f"{endpoint} returned an error: {_shown(message)}"
    return kind(what, endpoint=endpoint, request_id=request_id, help=hint)


def not_json(response: httpx2.Response, endpoint: str) -> ApiMalformed | None:
    """Return the error for a response that is not JSON, such as the HTML of a login page."""
    start = response.content.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start and start in b'{["':
        return None
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return ApiMalformed(
        f"{endpoint} returned {visible(kind)} instead of a JSON object.",
        endpoint=endpoint,
        request_id=response.headers.get("x-request-id"),
        help="Check OPENAI_BASE_URL and the proxy settings (HTTPS_PROXY, NO_PROXY): the response"
        " may come from a proxy or a login page.",
    )


def refused(response: httpx2.Response, endpoint: str, key: Secret) -> ApiError:
    """Return the error for a response with an error status, with a help line."""
    status = response.status_code
    message, is_json = _message(response)
    text = _shown(_PART_OF_KEY.sub("sk-***", key.mask(message)))
    request_id = response.headers.get("x-request-id")
    what = f"{endpoint} returned {status}{f': {text}' if text else ''}"
    kind: type[ApiError] = ApiFailed
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN if "scope" in message.lower():
            kind, hint = ApiForbidden, _give_scope(endpoint)
        case _ if _MISSING_SCOPE in message.lower():
            kind, hint = ApiForbidden, _give_scope(endpoint)
        case HTTPStatus.UNAUTHORIZED:
            kind, hint = ApiRejected, _CHECK_KEY
        case HTTPStatus.FORBIDDEN if text:
            kind, hint = ApiForbidden, "Request an admin key with read access from an owner."
        case HTTPStatus.NOT_FOUND if text and is_json:
            kind, hint = ApiNotFound, "Check http.base_url, OPENAI_BASE_URL: it must end in /v1."
        case HTTPStatus.TOO_MANY_REQUESTS:
            hint = "Scan when the API is used less, or lower --concurrency."
        case _ if not text or not is_json:
            hint = "Check the proxy settings: the response may come from a proxy, not the API."
        case _:
            hint = _LATER
    return kind(what, endpoint=endpoint, request_id=request_id, status=status, help=hint)


def _give_scope(endpoint: str) -> str:
    return f"Grant the admin key the scope {_scope(endpoint)}."


def _scope(endpoint: str) -> str:
    """Return the scope that an admin key needs for a request, such as `GET /projects`."""
    verb, _, path = endpoint.partition(" ")
    if verb != "GET":
        return WRITE_SCOPE
    return next((SCOPES[one] for one in OPTIONAL if f"/{one}" in path), READ_SCOPE)


def _shown(message: str) -> str:
    return visible(redact(message))[:_MESSAGE_LENGTH]


def _message(response: httpx2.Response) -> tuple[str, bool]:
    """Return the message in an error's body, or "", and whether the body is JSON.

    Plain text counts as a message; HTML does not.
    """
    try:
        body = read_json(response.content)
    except MalformedBodyError:
        text = response.content[:_TEXT_READ].decode("utf-8", errors="replace").strip()
        return ("" if text.startswith("<") else text), False
    return message_of(body) or texts_of(body), True


def unreachable(error: Exception, endpoint: str, base_url: str) -> ApiUnreachable | ApiMalformed:
    """Return the error for a request without a usable response, with its root cause."""
    if isinstance(error, TooLargeError):
        return ApiMalformed(
            f"The response of {endpoint} was rejected: {error}.",
            endpoint=endpoint,
            help="Check OPENAI_BASE_URL and HTTPS_PROXY: responses of the API are smaller.",
        )
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        why = f"request timed out ({type(error).__name__})"
    else:
        why = _system_reason(error) or redact(str(error)) or type(error).__name__
    hint = "Check the network, OPENAI_BASE_URL, HTTPS_PROXY, NO_PROXY, and http in the settings."
    if why.startswith(_TLS):
        hint = (
            "Check OPENAI_BASE_URL. If a proxy or a private CA signs the certificate, set"
            " http.ca_bundle in the settings, or SSL_CERT_FILE, to the CA's certificates."
        )
    return ApiUnreachable(
        f"{base_url} cannot be reached: {visible(why)}", endpoint=endpoint, help=hint
    )


def _system_reason(error: BaseException) -> str | None:
    """Return the operating system's message behind an error, such as "Connection refused"."""
    reason = None
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            reason = f"{_TLS}{getattr(below, 'verify_message', '') or below.reason}"
        elif isinstance(below, OSError) and below.errno:
            reason = os.strerror(below.errno) if below.errno > 0 else below.strerror
        below = below.__cause__ or below.__context__
    return reason
