"""The result of a scan, passed from its child process to the daemon."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from scanner.formats.files import write_whole


class Fate(StrEnum):
    """The result of a scan. UNRECORDED: the scan ended, but the history could not be written."""

    RECORDED = "recorded"
    UNRECORDED = "unrecorded"
    SKIPPED = "skipped"
    LOCKED = "locked"


class Account(BaseModel):
    """The counts of a scan. `is_settled`: a retry of this run would not help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fate: Fate
    scan_id: str = ""
    organization: str = ""
    is_complete: bool = True
    is_settled: bool = True
    keys: int = 0
    violations: int = 0


def write_account(path: Path, account: Account) -> None:
    """Write the result for the daemon; raise OutputError."""
    write_whole(path, account.model_dump_json().encode())


def read_account(path: Path) -> Account | None:
    """Read the result of a scan; None if it is missing or invalid."""
    try:
        return Account.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


class Seen(Protocol):
    """A recorded scan."""

    @property
    def started_at(self) -> datetime:
        """When the scan started."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the scan collected everything in its plan."""
        ...


def is_done(nights: Sequence[Seen], due: datetime) -> bool:
    """Whether the run that was due at `due` is recorded; `nights` are the latest, oldest first.

    An incomplete scan counts only if the previous one was incomplete too: then the cause, such as
    a missing permission, is likely to last.
    """
    tonight = [night for night in nights if night.started_at >= due]
    before = [night for night in nights if night.started_at < due]
    was_complete = not before or before[-1].complete
    return any(night.complete for night in tonight) or (bool(tonight) and not was_complete)
