"""The sandbox as a plain ASGI application: authentication, responses, and a log of writes."""

import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from wsgiref.handlers import format_date_time

from scanner.sandbox.endpoints import (
    AUDIT_SCOPE,
    READ_SCOPE,
    USAGE_SCOPE,
    WRITE_SCOPE,
    answer,
    scope_of,
)
from scanner.sandbox.organization import SandboxOrganization, Write
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.render import Body, sparse
from scanner.sandbox.request import Refusal, Request

SANDBOX_KEY: Final = "sk-admin-sandbox-not-a-real-key"
ALL_SCOPES: Final = frozenset({READ_SCOPE, WRITE_SCOPE, USAGE_SCOPE, AUDIT_SCOPE})
ROOT: Final = "/v1/"

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class SandboxApp:
    """Serves one organization. `keys` maps each accepted admin key to its scopes."""

    def __init__(
        self,
        organization: SandboxOrganization,
        *,
        keys: Mapping[str, frozenset[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.organization = organization
        self._keys = {SANDBOX_KEY: ALL_SCOPES} if keys is None else dict(keys)
        self._clock = clock
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        request = await _read(scope, receive)
        try:
            self._admit(scope, request)
            status, body = 200, answer(self.organization, request, int(self._clock()))
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        if request.method != "GET":
            self._record(request, status)
        await self._reply(send, status, body)

    def _admit(self, scope: Scope, request: Request) -> None:
        """Raise Refusal: 401 for a missing or wrong key, 403 for a key without the scope."""
        headers = dict(scope["headers"])
        kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise Refusal(401, "You didn't provide an API key.")
        if key not in self._keys:
            shown = f"{key[:8]}***{key[-4:]}"
            raise Refusal(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")
        needed = scope_of(request)
        if needed not in self._keys[key]:
            raise Refusal(
                403,
                f"You have insufficient permissions for this operation. Missing scopes: {needed}.",
            )

    def _record(self, request: Request, status: int) -> None:
        try:
            body = request.json()
        except Refusal:
            body = None
        self.organization.writes.append(
            Write(method=request.method, path=request.path, body=body, status=status)
        )

    async def _reply(self, send: Send, status: int, body: Body) -> None:
        if Quirk.SPARSE in self.organization.quirks:
            body = sparse(body)
        content = json.dumps(body, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"x-request-id", f"req_sandbox_{next(self._numbers):06d}".encode()),
            (b"openai-version", b"2020-10-01"),
            (b"date", format_date_time(self._clock()).encode()),
        ]
        if Quirk.NAMELESS not in self.organization.quirks:
            name = self.organization.name.encode("latin-1", "replace")
            headers.append((b"openai-organization", name))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _read(scope: Scope, receive: Receive) -> Request:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    path: str = scope["path"]
    raw = scope.get("raw_path") or path.encode()
    below = raw.decode("latin-1").removeprefix(ROOT) if path.startswith(ROOT) else ""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Request(
        method=scope["method"],
        path=path,
        segments=tuple(unquote(segment) for segment in below.split("/")),
        query=query,
        body=body,
    )
