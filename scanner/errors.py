"""Every error KeyVigil raises on purpose.

KeyVigilError
├── UsageError              the command, the environment or a file the user wrote is wrong
│   ├── NoHistory           no history is kept, or none is there yet
│   ├── CredentialError     no admin key, or a key that cannot be one
│   └── PolicyError         a policy file is wrong; carries every mistake found
│       └── SettingsError   the same of the settings file
├── SecretUnavailable       what holds a secret did not give it this time: a vault that is away
├── OutputError             a report could not be written
├── StoreError              the history could not be read or written
│   ├── StoreAway           the database cannot be reached; it may be in a moment
│   └── StoreLocked         another scan of the organization is running
│       └── LockLost        it took over from this one, which was asleep or cut off
├── AlertError              an alert was not delivered; the next scan tries again
│   └── AlertUncertain      it may have arrived: the answer did not
├── RevocationError         a key that was due was not revoked
└── ApiError                the Administration API did not give what was asked
    ├── ApiUnreachable      no answer: refused, timed out, name not found, TLS
    ├── ApiRejected         401: the key is not accepted
    ├── ApiForbidden        the key is accepted and lacks the scope
    ├── ApiNotFound         404
    ├── ApiFailed           any other error status, after the retries that make sense
    └── ApiMalformed        an answer that is not what the API promises
"""

from dataclasses import dataclass


class KeyVigilError(Exception):
    """What happened and where; `help` says what to do next."""

    help: str | None

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the word users see
        super().__init__(message)
        self.help = help


class UsageError(KeyVigilError):
    """The command, its environment or a file the user wrote is wrong."""


class NoHistory(UsageError):  # noqa: N818 - the tree above reads as outcomes
    """No history is kept, or its file is not there yet: nothing was ever recorded in it."""


class CredentialError(UsageError):
    """There is no admin key, or what was given cannot be one."""


class SecretUnavailable(KeyVigilError):  # noqa: N818 - the tree above reads as outcomes
    """What holds a secret did not give it this time; it may the next."""


class OutputError(KeyVigilError):
    """A report could not be written to the place asked for."""


class StoreError(KeyVigilError):
    """The history could not be read or written."""


class StoreAway(StoreError):  # noqa: N818 - likewise
    """The database that the history is in cannot be reached, or ended the connection."""


class StoreLocked(StoreError):  # noqa: N818 - the tree above reads as outcomes
    """Another scan of the same organization is running."""


class LockLost(StoreLocked):
    """Another scan took the lock over: this one slept, or the database was away from it."""


class AlertError(KeyVigilError):
    """An alert was not delivered; the outbox keeps it for the next scan."""


class RevocationError(KeyVigilError):
    """A key that was due was not revoked, or nobody knows whether it was."""


class AlertUncertain(AlertError):  # noqa: N818 - the tree above reads as outcomes
    """An alert was sent, and no answer says whether it arrived."""


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
    """A policy file is wrong; `problems` holds every mistake found, in file order."""

    what = "policy"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsError(PolicyError):
    """The settings file is wrong."""

    what = "settings"


class ApiError(KeyVigilError):
    """The Administration API did not give what was asked of `endpoint`.

    `status` is that of the answer, None where there was none or it was not what was wrong.
    """

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
    """No answer came: refused, timed out, name not found, TLS."""


class ApiRejected(ApiError):  # noqa: N818
    """401: the key is not accepted."""


class ApiForbidden(ApiError):  # noqa: N818
    """The key is accepted and lacks the scope."""


class ApiNotFound(ApiError):  # noqa: N818
    """404: no such thing."""


class ApiFailed(ApiError):  # noqa: N818
    """Any other error status, after the retries that make sense."""


class ApiMalformed(ApiError):  # noqa: N818
    """An answer that is not what the API promises."""
