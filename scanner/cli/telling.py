"""Deliver the alerts of a scan, and return delivery errors."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from scanner.alert_settings import read_alert_settings
from scanner.announcement import Delivery, Route
from scanner.cli.console import counted, say
from scanner.daemon.events import Level
from scanner.deliver import GIVEN_UP, deliver
from scanner.errors import AlertError, KeyVigilError, StoreError
from scanner.formats.registry import format_of
from scanner.plausible import clock_problem
from scanner.ports import AlertSink, Lease, Outbox
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.wiring import make_sinks, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The routes, and the sink of each by name.

    `again` returns the result of a recorded scan, or None if its snapshot was not kept.
    """

    routes: tuple[Route, ...] = ()
    sinks: Mapping[str, AlertSink] = field(default_factory=dict)
    again: Callable[[str], ScanResult | None] = lambda _scan_id: None


def read_alerts(config: Path | None, again: Callable[[str], ScanResult | None]) -> Alerts:
    """Read the routes from the settings; raise UsageError or SettingsError if invalid."""
    settings = read_alert_settings(os.environ, config)
    sinks = make_sinks(settings, time.sleep)
    return Alerts(routes=settings.routes, sinks=sinks, again=again)


def untold(alerts: Alerts) -> list[KeyVigilError]:
    """Return the error for alerts that were not sent because the scan was stopped."""
    if not alerts.routes:
        return []
    return [
        AlertError(
            "The scan was stopped before its alerts were sent.",
            help="Run the next scan, which sends them.",
        )
    ]


def tell(
    result: ScanResult,
    alerts: Alerts,
    outbox: Outbox,
    lease: Lease,
    *,
    masks: bool,
) -> list[KeyVigilError]:
    """Deliver the pending alerts of this and earlier scans; return the errors.

    `masks`: mask addresses in alerts and attached reports. A notice starts a grace period only if
    this machine's clock agreed with the API's during the scan.
    """
    if not alerts.routes:
        return []

    @lru_cache(maxsize=4)
    def page_of(scan_id: str) -> bytes | None:
        seen = result if scan_id == result.id else alerts.again(scan_id)
        if seen is None:
            return None
        shown = without_addresses(seen) if masks else seen
        return format_of("html")(shown).encode()

    failures: list[KeyVigilError] = []
    try:
        before = outbox.pending(lease.organization)
        failures.extend(
            deliver(
                outbox,
                lease,
                alerts.sinks,
                now,
                page_of,
                masks=masks,
                verified_at=None if clock_problem(result.clock_ahead) else result.started_at,
            )
        )
        left = outbox.pending(lease.organization)
    except StoreError as error:
        return [*failures, error]
    _warn_of_unknown_routes(left, alerts)
    if len(before) > len(left):
        say(f"Delivered {counted(len(before) - len(left), 'alert')}.")
    return failures


def _warn_of_unknown_routes(waiting: Iterable[Delivery], alerts: Alerts) -> None:
    routes = Counter(one.draft.route for one in waiting if one.draft.route not in alerts.sinks)
    for route, count in routes.items():
        say(
            f"{counted(count, 'alert')} for the route '{route}', which is not configured, will be"
            f" dropped {GIVEN_UP.days} days after their scan.",
            level=Level.WARNING,
        )
