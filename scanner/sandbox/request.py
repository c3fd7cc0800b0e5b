"""A request to the sandbox, and the errors that the Administration API returns."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from scanner.sandbox.render import Body

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 20


class Refusal(Exception):  # noqa: N818 - a response, not an internal failure
    """A response with an error status and the API's error body."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: Body = {
            "error": {
                "message": message,
                "type": "invalid_request_error" if status < 500 else "server_error",  # noqa: PLR2004
                "param": param,
                "code": code,
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Method, path segments below the API's root, query values by name, and the body's bytes."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, list[str]]
    body: bytes

    def one(self, name: str) -> str | None:
        """Return the last value of a query parameter; None if not given."""
        values = self.query.get(name)
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        """Return an array parameter in either form: `name=a` or `name[]=a`."""
        return [*self.query.get(name, []), *self.query.get(f"{name}[]", [])]

    def flag(self, name: str) -> bool:
        """Return a boolean parameter, false by default."""
        return self.choice(name, "false", "true") == "true"

    def choice(self, name: str, *allowed: str) -> str | None:
        """Return a parameter that must be one of `allowed`; None if not given."""
        value = self.one(name)
        if value is None or value in allowed:
            return value
        listed = ", ".join(f"'{choice}'" for choice in allowed)
        raise Refusal(
            400,
            f"Invalid value: '{value}'. Supported values are: {listed}.",
            param=name,
            code="invalid_value",
        )

    def limit(self) -> int:
        """Return the page size: 1 to 100, 20 by default."""
        value = self.one("limit")
        if value is None:
            return DEFAULT_LIMIT
        if not (value.isascii() and value.isdecimal() and len(value) < 10):  # noqa: PLR2004
            raise Refusal(
                400,
                f"Invalid type for 'limit': expected an integer, but got '{value}' instead.",
                param="limit",
                code="invalid_type",
            )
        if 1 <= int(value) <= MAX_LIMIT:
            return int(value)
        bound: Literal["below_min", "above_max"]
        bound = "below_min" if int(value) < 1 else "above_max"
        raise Refusal(
            400,
            f"Invalid 'limit': integer {bound.replace('_', ' ')} value. Expected a value from 1 to"
            f" {MAX_LIMIT}, but got {value} instead.",
            param="limit",
            code=f"integer_{bound}_value",
        )

    def number(self, name: str, least: int = 0, most: int = 10**11) -> int | None:
        """Return a whole number within bounds, or None if it was not given."""
        value = self.one(name)
        if value is None:
            return None
        is_number = value.isascii() and value.isdecimal() and len(value) < 13  # noqa: PLR2004 - dates have ten digits
        if is_number and least <= int(value) <= most:
            return int(value)
        raise Refusal(
            400, f"Invalid '{name}': expected an integer from {least} to {most}.", param=name
        )

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the body as JSON, or None if it is empty; raise Refusal for invalid JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (RecursionError, ValueError):
            raise Refusal(400, "We could not parse the JSON body of your request.") from None
