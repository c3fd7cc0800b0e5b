"""/healthz is overdue when a run is late, and degraded when a clock or a date is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.daemon.health import Health, Status
from tests.support.prose import Prose

DUE = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def complaint(now: datetime, **changes: Any) -> str | None:
    known: dict[str, Any] = {"next_run": NEXT, "grace": 6 * HOUR, "timeout": HOUR}
    return Health(**{**known, **changes}).complaint(now)


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (DUE + HOUR, {}),
        (NEXT + 4 * MINUTE, {}),
        (NEXT + 6 * MINUTE, {"running_since": NEXT - MINUTE}),
        (DUE + 64 * MINUTE, {"running_since": DUE}),
        (DUE + 6 * HOUR, {"due": DUE}),
    ],
)
def test_no_run_is_overdue(now: datetime, changes: dict[str, Any]) -> None:
    assert complaint(now, **changes) is None


@pytest.mark.parametrize(
    ("now", "changes", "at"),
    [
        pytest.param(NEXT + 6 * MINUTE, {}, NEXT, id="not started"),
        pytest.param(DUE, {"next_run": None}, None, id="not scheduled"),
        pytest.param(DUE + 66 * MINUTE, {"running_since": DUE}, DUE, id="still running"),
        pytest.param(DUE + 6 * HOUR + MINUTE, {"due": DUE}, DUE, id="not succeeded"),
        pytest.param(
            DUE + HOUR,
            {"due": DUE, "given_up": "given up after attempt 5 (failed)"},
            DUE,
            id="given up",
        ),
    ],
)
def test_a_run_is_overdue(
    now: datetime, changes: dict[str, Any], at: datetime | None, prose: Prose
) -> None:
    reason = complaint(now, **changes)
    assert reason is not None
    assert at is None or f"{at:%Y-%m-%d %H:%M} UTC" in reason
    assert changes.get("given_up", "") in reason
    prose(reason)


@pytest.mark.parametrize(
    ("now", "problems", "status", "reason"),
    [
        (DUE, (), Status.OK, ""),
        (DUE, ("clock: a", "scans: b"), Status.DEGRADED, "clock: a; scans: b"),
    ],
)
def test_problems_of_clocks_degrade_it(
    now: datetime, problems: tuple[str, ...] | None, status: Status, reason: str
) -> None:
    health = Health(next_run=NEXT, grace=6 * HOUR, timeout=HOUR, clock_problems=problems)
    assert health.report(now) == (status, reason)


def test_unknown_clocks_degrade_health(prose: Prose) -> None:
    health = Health(next_run=NEXT, grace=6 * HOUR, timeout=HOUR, clock_problems=None)
    status, reason = health.report(DUE)
    assert status is Status.DEGRADED
    prose(reason)


def test_an_overdue_run_is_reported_before_problems_of_clocks() -> None:
    health = Health(next_run=NEXT, grace=6 * HOUR, timeout=HOUR, clock_problems=("clock: a",))
    overdue = health.complaint(NEXT + HOUR)
    assert health.report(NEXT + HOUR) == (Status.OVERDUE, f"{overdue}; clock: a")
