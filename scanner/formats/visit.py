"""The result of each organization in a run, for the report of all organizations."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scanner.coverage import by_collection
from scanner.inventory import is_complete
from scanner.result import ScanResult


class OrganizationState(StrEnum):
    """The state of one organization after a run.

    SCANNED_ALREADY: the due scan was recorded before. LOCKED: another scan of it is running.
    NOT_REACHED: the run was stopped before its scan.
    """

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    SCANNED_ALREADY = "scanned_already"
    LOCKED = "locked"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The outcome for one organization; `result` is None if it was not scanned.

    `result` is as in reports. `reason` and `help` describe an error, `page` is the path of its
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
    """Return a line for each incomplete collection; "" if the scan is complete."""
    rows = (row for row in by_collection(result.coverage) if not is_complete(row.gaps))
    return "\n".join(
        f"{row.collection.value} {row.state.value}: {row.gaps[0].reason or 'no reason recorded'}"
        for row in rows
    )
