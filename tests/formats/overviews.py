"""Runs over several organizations, for the tests of their report."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from scanner.formats.overview import overview_of
from scanner.formats.overview_rows import Overview
from scanner.formats.visit import OrganizationState, Visit, unseen
from scanner.result import ScanResult
from tests.browser.making import with_exceptions, with_revocation
from tests.factories import NOW, a_remembered_result, a_result, an_inventory

HOSTILE = '</td><script>alert(1)</script>\u202e\x1b[31m"'


def a_visit(result: ScanResult | None = None, name: str = "Acme", **changes: Any) -> Visit:
    """Of an organization that was scanned, whatever its scan saw."""
    result = replace(result or a_remembered_result(), id=f"20260701T030000Z-{len(name):08x}")
    state = OrganizationState.COMPLETE if result.complete else OrganizationState.INCOMPLETE
    visit = Visit(
        name=name,
        state=state,
        exit_code=0 if result.complete else 3,
        reason=unseen(result),
        result=result,
        page=Path("out") / name / "report.html",
    )
    return replace(visit, **changes)


def not_seen(state: OrganizationState, name: str, reason: str, advice: str = "") -> Visit:
    return Visit(name=name, state=state, exit_code=3, reason=reason, help=advice)


def every_state() -> tuple[Visit, ...]:
    """One organization in each state, with hostile names and reasons."""
    clean = a_result(an_inventory())
    return (
        a_visit(clean, "clean", page=None),
        a_visit(with_revocation(with_exceptions(a_remembered_result())), HOSTILE),
        a_visit(
            a_result(),
            "recorded",
            state=OrganizationState.SCANNED_ALREADY,
            reason="The scan 20260701T030000Z-0a1b2c3d is recorded.",
        ),
        not_seen(OrganizationState.SCANNED_ALREADY, "lost", "The scan 2026 is recorded."),
        not_seen(OrganizationState.LOCKED, "busy", "Another scan of busy is running."),
        not_seen(
            OrganizationState.FAILED,
            "away",
            f"{HOSTILE}\nBearer sk-admin-0123456789abcdef of ada@example.com",
            "Set AWAY_KEY in the environment.",
        ),
        not_seen(OrganizationState.NOT_REACHED, "late", "The scan was told to end."),
    )


def an_overview(*visits: Visit, masks: bool = False) -> Overview:
    """As of a fixed moment; the report stands in `out`."""
    ended = NOW + timedelta(seconds=9)
    return overview_of(visits or every_state(), NOW, ended, folder=Path("out"), masks=masks)
