"""The outcome of a run, as the daemon logs and counts it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Self, assert_never

from scanner.daemon.account import Account, Fate

_NOT_ALERTED: Final = 4
_NOT_REVOKED: Final = 5
_WELL: Final = (0, 1)
"""Exit codes of a successful run: findings at or above --fail-on do not fail it."""


class Outcome(StrEnum):
    """The outcome of a run; all except SKIPPED are counted in `keyvigil_runs_total`."""

    DONE = "done"
    NOT_ALERTED = "not_alerted"
    NOT_REVOKED = "not_revoked"
    INCOMPLETE = "incomplete"
    LOCKED = "locked"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    SKIPPED = "skipped"

    @property
    def words(self) -> str:
        """The outcome for people: `timed out`."""
        return self.value.replace("_", " ")

    @property
    def is_success(self) -> bool:
        """Whether a complete scan is recorded for the run."""
        return self in (Outcome.DONE, Outcome.NOT_ALERTED, Outcome.NOT_REVOKED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An ended run: the exit code of the child process, its result if written, its last error."""

    outcome: Outcome
    code: int
    account: Account | None = None
    error: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether a retry would not help.

        A run that timed out would time out again.
        """
        match self.outcome:
            case Outcome.INCOMPLETE:
                return self.account is not None and self.account.is_settled
            case Outcome.FAILED | Outcome.LOCKED:
                return False
            case _:
                return True

    def fields(self, took: timedelta) -> dict[str, object]:
        """Return the fields of the log event."""
        account = self.account
        is_seen = account is not None and bool(account.scan_id)
        return {
            "outcome": self.outcome,
            "exit_code": self.code,
            "seconds": round(took.total_seconds(), 1),
            "scan": account.scan_id if account else None,
            "organization": account.organization if account else None,
            "keys": account.keys if account and is_seen else None,
            "violations": account.violations if account and is_seen else None,
            "error": self.error,
        }

    @classmethod
    def of(cls, code: int, account: Account | None, error: str) -> Self:
        """Return the outcome of a scan that ended by itself."""
        return cls(outcome=_outcome(code, account), code=code, account=account, error=error)


def _outcome(code: int, account: Account | None) -> Outcome:
    if account is None:
        return Outcome.FAILED
    match account.fate:
        case Fate.SKIPPED:
            return Outcome.SKIPPED
        case Fate.LOCKED:
            return Outcome.LOCKED
        case Fate.UNRECORDED:
            return Outcome.FAILED
        case Fate.RECORDED:
            return _of_code(code, account)
        case _:
            assert_never(account.fate)


def _of_code(code: int, account: Account) -> Outcome:
    """Return the outcome of a recorded scan."""
    if not account.is_complete:
        return Outcome.INCOMPLETE
    if code in _WELL:
        return Outcome.DONE
    return {_NOT_ALERTED: Outcome.NOT_ALERTED, _NOT_REVOKED: Outcome.NOT_REVOKED}.get(
        code, Outcome.FAILED
    )
