"""/healthz turns red when a run is overdue, and only then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.daemon.health import Health

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
