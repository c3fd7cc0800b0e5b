"""Alerts as a scan sends them: who is told, and what could not be."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from scanner.alert_settings import read_alert_settings
from scanner.announcement import Route
from scanner.cli.console import counted, say
from scanner.deliver import deliver
from scanner.errors import KeyVigilError, StoreError
from scanner.formats.registry import FORMATS
from scanner.ports import AlertSink, Lease, Outbox
from scanner.result import ScanResult
from scanner.wiring import make_sinks, now

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="KEYVIGIL_CONFIG",
        metavar="FILE",
        help="The settings: who is told of what. Default: keyvigil.yaml in this folder, if any.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The routes, and what delivers to each by its name."""

    routes: tuple[Route, ...] = ()
    sinks: Mapping[str, AlertSink] = field(default_factory=dict)


def read_alerts(config: Path | None) -> Alerts:
    """Read who is told; raise UsageError or SettingsError on what cannot work."""
    settings = read_alert_settings(os.environ, config)
    return Alerts(routes=settings.routes, sinks=make_sinks(settings, time.sleep))


def tell(result: ScanResult, alerts: Alerts, outbox: Outbox, lease: Lease) -> list[KeyVigilError]:
    """Deliver what this scan and those before have left to tell; return what failed."""
    if not alerts.routes:
        return []

    def page_of(scan_id: str) -> bytes | None:
        attaches = any(route.attach for route in alerts.routes)
        return FORMATS["html"](result).encode() if attaches and scan_id == result.id else None

    before = len(outbox.pending(lease.organization))
    try:
        failures: list[KeyVigilError] = list(deliver(outbox, lease, alerts.sinks, now, page_of))
    except StoreError as error:
        return [error]
    told = before - len(outbox.pending(lease.organization))
    if told:
        say(f"Delivered {counted(told, 'alert')}.")
    return failures
