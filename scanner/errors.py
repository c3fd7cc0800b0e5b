"""Every error that KeyVigil raises deliberately. Each class has a stable code.

KeyVigilError
├── UsageError              invalid command, environment or file of the user
│   ├── NoHistory           no history is kept, or it does not exist yet
│   ├── CredentialError     no admin key, or not a valid one
│   └── PolicyError         a policy file is not valid; carries every mistake
│       └── SettingsError   the settings file is not valid
├── SecretUnavailable       a secret could not be read this time: a vault that does not respond
├── OutputError             a report could not be written
├── StoreError              the history could not be read or written
│   ├── StoreAway           the database cannot be reached now
│   └── StoreLocked         another scan of the organization is running
│       └── LockLost        another scan took over the lock of this one
├── AlertError              an alert was not delivered; the next scan retries
│   └── AlertUncertain      an alert was sent and no response confirms it
├── RevocationError         a key that was due was not revoked
└── ApiError                the Administration API did not return what was requested
    ├── ApiUnreachable      no response: refused, timeout, unknown host, TLS
    ├── ApiRejected         401: the key is not accepted
    ├── ApiForbidden        403: the key lacks the scope
    ├── ApiNotFound         404
    ├── ApiFailed           any other error status, after all useful retries
    └── ApiMalformed        a response that does not match the API's documentation
"""

from dataclasses import dataclass
from typing import ClassVar


class KeyVigilError(Exception):
    """What happened and where; `help` states what to do next, `code` is the class's stable name."""

    code: ClassVar[str] = "error"
    help: str | None

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the word users see
        super().__init__(message)
        self.help = help


class UsageError(KeyVigilError):
    """The command, its environment or a file that the user wrote is not valid."""

    code = "usage_error"


class NoHistory(UsageError):  # noqa: N818 - the tree above reads as outcomes
    """No history is kept, or its file does not exist yet: no scan was recorded in it."""

    code = "no_history"


class CredentialError(UsageError):
    """No admin key is set, or it is not a valid one."""

    code = "invalid_credential"


class SecretUnavailable(KeyVigilError):  # noqa: N818 - the tree above reads as outcomes
    """A secret could not be read from its source now; a later attempt may succeed."""

    code = "secret_unavailable"


class OutputError(KeyVigilError):
    """A report could not be written to its destination."""

    code = "output_failed"


class StoreError(KeyVigilError):
    """The history could not be read or written."""

    code = "store_failed"


class StoreAway(StoreError):  # noqa: N818 - likewise
    """The database of the history cannot be reached, or closed the connection."""

    code = "store_unreachable"


class StoreLocked(StoreError):  # noqa: N818 - the tree above reads as outcomes
    """Another scan of the same organization is running."""

    code = "store_locked"


class LockLost(StoreLocked):
    """Another scan took over the lock: this process slept, or lost its database."""

    code = "lock_lost"


class AlertError(KeyVigilError):
    """An alert was not delivered; the outbox keeps it for the next scan."""

    code = "alert_failed"


class RevocationError(KeyVigilError):
    """A key that was due was not revoked, or it is unknown whether it was."""

    code = "revocation_failed"


class AlertUncertain(AlertError):  # noqa: N818 - the tree above reads as outcomes
    """An alert was sent, and no response confirms that it was delivered."""

    code = "alert_uncertain"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One mistake in a policy file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class PolicyError(UsageError):
    """A policy file is not valid; `problems` holds every mistake, in file order."""

    code = "invalid_policy"
    what = "policy"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsError(PolicyError):
    """The settings file is not valid."""

    code = "invalid_settings"
    what = "settings"


class ApiError(KeyVigilError):
    """The Administration API did not return what was requested from `endpoint`.

    `status` is that of the response, None where there was none or it was not the problem.
    """

    code = "api_error"

    def __init__(
        self,
        message: str,
        *,
        endpoint: str,
        request_id: str | None = None,
        status: int | None = None,
        help: str | None = None,  # noqa: A002 - the word users see
    ) -> None:
        super().__init__(message, help=help)
        self.endpoint = endpoint
        self.request_id = request_id
        self.status = status


class ApiUnreachable(ApiError):  # noqa: N818
    """No response: refused, timeout, unknown host, TLS."""

    code = "api_unreachable"


class ApiRejected(ApiError):  # noqa: N818
    """401: the key is not accepted."""

    code = "api_rejected"


class ApiForbidden(ApiError):  # noqa: N818
    """403: the key is accepted and lacks the scope."""

    code = "api_forbidden"


class ApiNotFound(ApiError):  # noqa: N818
    """404: it does not exist."""

    code = "api_not_found"


class ApiFailed(ApiError):  # noqa: N818
    """Any other error status, after all useful retries."""

    code = "api_failed"


class ApiMalformed(ApiError):  # noqa: N818
    """A response that does not match the API's documentation."""

    code = "api_malformed"
