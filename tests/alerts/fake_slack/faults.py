"""What goes wrong on purpose, one fault a call. `After`: Slack did what it was asked."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429 with Retry-After in seconds; nothing was done."""

    retry_after: int = 1


@dataclass(frozen=True, slots=True)
class ErrorBefore:
    """A server error that is not JSON; nothing was done."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class ErrorAfter:
    """The same error, but what was asked has been done."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Done, then the connection is cut without an answer."""


@dataclass(frozen=True, slots=True)
class TruncatedAfter:
    """Done, then half of the answer's body, and the connection is cut."""


@dataclass(frozen=True, slots=True)
class SilentAfter:
    """Done, then no answer until the client gives up."""


class Coded:
    """Has Slack's error code, and what else the answer holds."""

    def __init__(self, code: str, **extra: Any) -> None:
        self.code = code
        self.extra = extra

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r})"


class ApiError(Coded):
    """`ok` false with an error code and any more fields; nothing was done."""


class ApiErrorAfter(Coded):
    """The same, but what was asked has been done: `internal_error` and `fatal_error` may."""


Fault = (
    RateLimited
    | ErrorBefore
    | ErrorAfter
    | ResetAfter
    | TruncatedAfter
    | SilentAfter
    | ApiError
    | ApiErrorAfter
)
