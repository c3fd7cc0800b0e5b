"""How it went with each organization of a run: what the report of all of them is made of."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scanner.coverage import by_collection
from scanner.inventory import is_complete
from scanner.result import ScanResult


class OrganizationState(StrEnum):
    """How far it came with one organization.

    SCANNED_ALREADY: the scan that was due is recorded. LOCKED: another scan of it is running.
    NOT_REACHED: the run was told to end before it came to it.
    """

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    SCANNED_ALREADY = "scanned_already"
    LOCKED = "locked"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """How it went with one organization; `result` is None if it was not seen.

    `result` is as reports show it. `reason` and `help` say what went wrong, `page` is where its
    HTML report is.
    """

    name: str | None
    state: OrganizationState
    exit_code: int
    reason: str = ""
    help: str = ""
    result: ScanResult | None = None
    page: Path | None = None


def unseen(result: ScanResult) -> str:
    """Say what a scan could not see, a line for each collection; "" if it saw everything."""
    rows = (row for row in by_collection(result.coverage) if not is_complete(row.gaps))
    return "\n".join(
        f"{row.collection.value} {row.state.value}: {row.gaps[0].reason or 'no reason was given'}"
        for row in rows
    )
