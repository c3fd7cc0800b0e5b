"""/healthz is overdue when a run is late, and degraded when a clock or a date is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.daemon.health import Health, Status

DUE = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def complaint(now: datetime, **changes: Any) -> str | None:
    known: dict[str, Any] = {"next_run": NEXT, "grace": 6 * HOUR, "timeout": HOUR}
    return Health(**{**known, **changes}).complaint(now)


@pytest.mark.parametrize(
    ("now", "changes", "told"),
    [
        (DUE + HOUR, {}, None),
        (NEXT + 4 * MINUTE, {}, None),
        (
            NEXT + 6 * MINUTE,
            {},
            "the run planned for 2026-11-26 02:30 UTC is overdue: it has not begun",
        ),
        (NEXT + 6 * MINUTE, {"running_since": NEXT - MINUTE}, None),
        (DUE, {"next_run": None}, "no run is planned"),
        (DUE + 64 * MINUTE, {"running_since": DUE}, None),
        (
            DUE + 66 * MINUTE,
            {"running_since": DUE},
            "the scan that began at 2026-11-25 02:30 UTC does not end",
        ),
        (DUE + 6 * HOUR, {"due": DUE}, None),
        (
            DUE + 6 * HOUR + MINUTE,
            {"due": DUE},
            "the run of 2026-11-25 02:30 UTC is overdue: it has not succeeded yet",
        ),
        (
            DUE + HOUR,
            {"due": DUE, "given_up": "given up after attempt 5 (failed)"},
            "the run of 2026-11-25 02:30 UTC is overdue: given up after attempt 5 (failed)",
        ),
    ],
)
def test_as_of_a_moment(now: datetime, changes: dict[str, Any], told: str | None) -> None:
    assert complaint(now, **changes) == told


@pytest.mark.parametrize(
    ("now", "problems", "status", "reason"),
    [
        (DUE, (), Status.OK, ""),
        (DUE, ("clock: a", "scans: b"), Status.DEGRADED, "clock: a; scans: b"),
        (
            DUE,
            None,
            Status.DEGRADED,
            "whether the clocks agree is unknown: the history has not been read",
        ),
        (
            NEXT + HOUR,
            ("clock: a",),
            Status.OVERDUE,
            "the run planned for 2026-11-26 02:30 UTC is overdue: it has not begun; clock: a",
        ),
    ],
)
def test_problems_of_clocks_degrade_it(
    now: datetime, problems: tuple[str, ...] | None, status: Status, reason: str
) -> None:
    health = Health(next_run=NEXT, grace=6 * HOUR, timeout=HOUR, clock_problems=problems)
    assert health.report(now) == (status, reason)
