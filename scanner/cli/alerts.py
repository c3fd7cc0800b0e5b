"""`keyvigil alerts`: test the routes, and preview their alerts."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from scanner.alert_settings import AlertSettings, read_alert_settings
from scanner.alerts.email import letter_of
from scanner.alerts.slack_blocks import messages, style_of
from scanner.alerts.slack_scopes import missing
from scanner.alerts.text import in_lines
from scanner.alerts.webhook import alert_json
from scanner.alerts.wording import headline
from scanner.announcement import (
    Announcement,
    Delivery,
    Draft,
    Part,
    PartState,
    Route,
    Sink,
)
from scanner.cli.console import ExitCode, inert, out, say, show_error, tell
from scanner.cli.memory import Memory
from scanner.cli.recording import alerts_of
from scanner.cli.report import Recorded, Wanted, recorded
from scanner.cli.revoke_plan import own_key
from scanner.cli.revoking import scene_of, with_plan
from scanner.cli.telling import Alerts
from scanner.errors import KeyVigilError, UsageError
from scanner.ports import AlertSink
from scanner.redaction import without_addresses_in
from scanner.result import ScanResult
from scanner.revocation import Mode
from scanner.settings_file import read_bounds
from scanner.severity import Severity
from scanner.wiring import make_sinks, now, slack_scopes

_DEFAULT: Sequence[Route] = (Route(name="slack", sink=Sink.SLACK, to="#security"),)
_SHOWN = 10
_OWNERS_SHOWN = 3


def preview(wanted: Wanted, names: Sequence[str] | None, *, as_json: bool, masks: bool) -> None:
    """Print the alerts of a recorded scan for each route, or those named, without sending them."""
    settings = read_alert_settings(os.environ, wanted.config)
    routes = _chosen(settings.routes, names) or _DEFAULT
    if not settings.routes:
        say("No route is configured. Preview for a Slack channel:")
    memory, result = _as_of(recorded(wanted), routes, wanted.config)
    at = result.started_at
    of_route: defaultdict[str, list[Draft]] = defaultdict(list)
    for alert in alerts_of(result, memory, masks=masks, at=at):
        of_route[alert.route].append(alert)
    if as_json:
        sent = [
            {
                "route": route.name,
                "to": _place(route, alert, masks=masks),
                "sent": _sent(route, alert, _id(memory, alert), settings) if alert else [],
            }
            for route in routes
            for alert in of_route[route.name] or (None,)
        ]
        typer.echo(json.dumps(sent, indent=2, ensure_ascii=False))
        return
    for route in routes:
        alerts = of_route[route.name]
        for alert in alerts[:_OWNERS_SHOWN]:
            print_alert(replace(route, to=_place(route, alert, masks=masks)), alert.announcement)
        if not alerts:
            out.print(inert(f"{route.name}: no alerts."))
        out.print()


def try_(names: Sequence[str] | None, config: Path | None) -> None:
    """Send a test to each route, or those named; raise typer.Exit."""
    settings = read_alert_settings(os.environ, config)
    routes = _chosen(settings.routes, names)
    if not routes:
        raise UsageError(
            "No route is configured.",
            help="Set KEYVIGIL_SLACK_TOKEN and KEYVIGIL_SLACK_CHANNEL, or list routes in"
            " keyvigil.yaml (see docs/alerts.md).",
        )
    sinks = make_sinks(settings, time.sleep)
    failed = [one for one in routes if not _try(one, sinks[one.name], settings)]
    raise typer.Exit(ExitCode.NOT_ALERTED if failed else ExitCode.DONE)


def print_alert(route: Route, what: Announcement) -> None:
    """Print an alert as text."""
    to = f" (to {route.to})" if route.to else ""
    out.print(Text.assemble((f"{route.name}", "bold"), (f"{to}:", "dim")))
    out.print(inert(f"  {headline(what)}", "bold"))
    for line in in_lines(what, _SHOWN):
        tell(out, inert(f"  {line}".rstrip()))


def _as_of(
    scan: Recorded, routes: Sequence[Route], config: Path | None
) -> tuple[Memory, ScanResult]:
    """Return the history of a recorded scan, and its result with the plan as of that scan."""
    memory = Memory(
        store=scan.store,
        organization=scan.organization,
        lease=None,
        alerts=Alerts(routes=tuple(routes)),
        bounds=read_bounds(os.environ, config),
        own_key=own_key(config),
    )
    if memory.bounds.mode is Mode.OFF:
        return memory, scan.result
    scene = scene_of(scan.result, scan.scanned, memory)
    at, known = scan.result.started_at, scene.known
    then = replace(
        known,
        announced={name: told for name, told in known.announced.items() if told.at < at},
        acts=tuple(act for act in known.acts if act.intent.at < at),
        elsewhere=tuple(act for act in known.elsewhere if act.intent.at < at),
    )
    return memory, with_plan(replace(scene, known=then))


def _place(route: Route, alert: Draft | None, *, masks: bool) -> str:
    """Return the target of an alert: an owner's address (masked if `masks`), or the route's."""
    owner = alert.target if alert else ""
    return (without_addresses_in(owner) if masks else owner) or route.to


def _id(memory: Memory, alert: Draft | None) -> str:
    """Return the id under which a scan delivers an alert."""
    from scanner.store.outbox import delivery_id  # noqa: PLC0415 - SQLAlchemy is slow to import

    return delivery_id(memory.organization, alert) if alert else ""


def _chosen(routes: Sequence[Route], names: Sequence[str] | None) -> Sequence[Route]:
    known = {route.name: route for route in routes}
    for name in names or ():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(
                f"Route '{name}' is not configured.", help=f"Choose a configured route: {listed}."
            )
    return [known[name] for name in names] if names else routes


def _sent(route: Route, alert: Draft, delivery_id: str, settings: AlertSettings) -> Any:  # noqa: ANN401 - JSON
    """Return the payload of an alert."""
    match route.sink:
        case Sink.WEBHOOK:
            made_at = alert.announcement.at
            return alert_json(Delivery(id=delivery_id, made_at=made_at, draft=alert))
        case Sink.EMAIL:
            return letter_of(alert.announcement, settings.report)._asdict()
        case _:
            style = style_of(route, settings.report, has_owner=bool(alert.target))
            return [
                {"text": message.text, "blocks": list(message.blocks)}
                for message in messages(alert.announcement, style)
            ]


def _try(route: Route, sink: AlertSink, settings: AlertSettings) -> bool:
    """Send the test message to one route and print the result."""
    for line in _lacking(route, settings):
        out.print(inert(f"  {line}", "yellow"))
    delivery = _delivery(route, _test_announcement())
    try:
        sink(delivery, _Nowhere(), lambda: b"<!doctype html><title>KeyVigil: a test</title>")
    except KeyVigilError as error:
        out.print(Text.assemble((f"{route.name}: ", "bold"), ("not delivered", "bold red")))
        show_error(error)
        return False
    out.print(Text.assemble((f"{route.name}: ", "bold"), ("delivered", "green")))
    return True


def _lacking(route: Route, settings: AlertSettings) -> Iterator[str]:
    """Yield a line for each missing scope of the Slack app."""
    if route.sink not in (Sink.SLACK, Sink.SLACK_OWNERS):
        return
    try:
        granted = slack_scopes(settings, time.sleep)
    except KeyVigilError:
        return  # sending reports the error in more detail
    for scope in missing(route, granted):
        how = "required" if scope.is_needed else "optional"
        yield f"{route.name}: missing {how} scope {' or '.join(scope.names)}, {scope.purpose}."


def _test_announcement() -> Announcement:
    return Announcement(
        scan_id="test",
        organization="This is a test",
        at=now(),
        policies=("none",),
        keys=0,
        keys_violating=0,
        by_severity=dict.fromkeys(Severity, 0),
    )


def _delivery(route: Route, what: Announcement) -> Delivery:
    """Return a delivery that is not stored. On an owners' route it goes to the fallback channel."""
    draft = Draft(route.name, route.sink, "", what)
    return Delivery(id=f"{what.scan_id}-{os.urandom(4).hex()}", made_at=now(), draft=draft)


class _Nowhere:
    """Implements Log for a delivery that is not stored."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}

    def part(self, name: str) -> Part | None:
        """Return the recorded state of a part."""
        return self._parts.get(name)

    def begin(self, name: str, **receipt: str) -> None:
        """Record no start: a test message is not resumed."""

    def done(self, name: str, **receipt: str) -> None:
        """Record that a part was delivered."""
        self._parts[name] = Part(state=PartState.SENT, at=now(), receipt=receipt)

    def earlier_today(self) -> tuple[Delivery, ...]:
        """Return no deliveries: a test is independent of earlier ones."""
        return ()
