"""A call of Slack's Web API as it arrived, and how Slack refuses one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from scanner.sandbox.app import Receive, Scope

Body = dict[str, Any]

TRUE: Final = frozenset({True, "1", "true", "True"})


class SlackError(Exception):
    """An answer with `ok` false and Slack's error code."""

    def __init__(
        self, code: str, *, status: int = 200, retry_after: int | None = None, **extra: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.body: Body = {"ok": False, "error": code, **extra}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Path, the host that was asked, the token and its scopes, parameters by name, the body."""

    path: str
    host: str
    token: str | None
    params: Mapping[str, Any]
    body: bytes
    scopes: frozenset[str] = field(default_factory=frozenset)

    def need(self, *scopes: str) -> None:
        """Refuse a token that lacks one of `scopes`."""
        for scope in scopes:
            if scope not in self.scopes:
                provided = ",".join(sorted(self.scopes))
                raise SlackError("missing_scope", needed=scope, provided=provided)

    def text(self, name: str) -> str | None:
        """Return a string, None if it was not given."""
        value = self.params.get(name)
        if value is None or isinstance(value, str):
            return value
        raise SlackError("invalid_arguments")

    def required(self, name: str) -> str:
        """Return a string that has to be given."""
        value = self.text(name)
        if not value:
            message = f"[ERROR] missing required field: {name}"
            raise SlackError("invalid_arguments", response_metadata={"messages": [message]})
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean in any of the spellings Slack takes."""
        value = self.params.get(name, default)
        return isinstance(value, bool | int | str) and value in TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        value = str(self.params.get(name, default))
        if value.isascii() and value.isdecimal() and 1 <= int(value) <= most:
            return int(value)
        raise SlackError(f"invalid_{name}")

    def structure(self, name: str, error: str) -> Any:
        """Return a list or an object, sent as such or as a string of JSON; None if not given."""
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None


async def read(scope: Scope, receive: Receive) -> Request:
    """Read one request; its parameters stay empty where the path takes none."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise SlackError("request_timeout")
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    path: str = scope["path"]
    params: Body = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    if path.startswith("/api/"):
        params |= parameters(headers.get("content-type", ""), body)
    token = bearer if kind.lower() == "bearer" and bearer else params.pop("token", None)
    return Request(path=path, host=headers["host"], token=token, params=params, body=body)


def parameters(content_type: str, body: bytes) -> Body:
    """Return what a body says, form-encoded or JSON; raise SlackError if it says nothing sound."""
    if not body:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    if kind != "application/json":
        raise SlackError("invalid_post_type")
    try:
        params = json.loads(body)
        json.dumps(params, ensure_ascii=False).encode()
    except (RecursionError, ValueError):
        raise SlackError("invalid_json") from None
    if not isinstance(params, dict):
        raise SlackError("json_not_object")
    params.pop("token", None)
    return params
