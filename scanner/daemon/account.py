"""What became of a scan, from the child process that made it to the daemon that started it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from scanner.formats.files import write_whole


class Fate(StrEnum):
    """What became of it. UNRECORDED: it was made, and its history could not be written."""

    RECORDED = "recorded"
    UNRECORDED = "unrecorded"
    SKIPPED = "skipped"
    LOCKED = "locked"


class Account(BaseModel):
    """A scan in figures. `is_settled`: nothing speaks for trying this night once more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fate: Fate
    scan_id: str = ""
    organization: str = ""
    is_complete: bool = True
    is_settled: bool = True
    keys: int = 0
    violations: int = 0


def write_account(path: Path, account: Account) -> None:
    """Write it for the daemon; raise OutputError."""
    write_whole(path, account.model_dump_json().encode())


def read_account(path: Path) -> Account | None:
    """Read what a scan left behind; None if it left nothing."""
    try:
        return Account.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


class Seen(Protocol):
    """A recorded scan."""

    @property
    def started_at(self) -> datetime:
        """When it began."""
        ...

    @property
    def complete(self) -> bool:
        """Whether it saw everything that it asked for."""
        ...


def is_done(nights: Sequence[Seen], due: datetime) -> bool:
    """Whether the run that was due then is recorded; `nights` are the latest, oldest first.

    An incomplete scan will do only if the one before it was incomplete as well: then something is
    missing that will not be there a few minutes later, such as a permission.
    """
    tonight = [night for night in nights if night.started_at >= due]
    before = [night for night in nights if night.started_at < due]
    was_complete = not before or before[-1].complete
    return any(night.complete for night in tonight) or (bool(tonight) and not was_complete)
