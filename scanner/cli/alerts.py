"""`keyvigil alerts`: trying who is told, and seeing what they are told."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from scanner.alert_settings import AlertSettings, read_alert_settings
from scanner.alerts.slack_blocks import Style, messages
from scanner.alerts.slack_scopes import missing
from scanner.alerts.text import in_lines
from scanner.alerts.webhook import alert_json
from scanner.alerts.wording import headline
from scanner.announce import announcement, drafts
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
from scanner.cli.report import Wanted, recorded
from scanner.errors import KeyVigilError, UsageError
from scanner.ports import AlertSink
from scanner.result import ScanResult
from scanner.severity import Severity
from scanner.wiring import make_sinks, now, slack_scopes

_DEFAULT: Sequence[Route] = (Route(name="slack", sink=Sink.SLACK, to="#security"),)
_SHOWN = 10
_OWNERS_SHOWN = 3


def preview(wanted: Wanted, names: Sequence[str] | None, *, as_json: bool) -> None:
    """Print what a recorded scan tells each route, or those named; send nothing."""
    settings = read_alert_settings(os.environ, wanted.config)
    routes = _chosen(settings.routes, names) or _DEFAULT
    if not settings.routes:
        say("No route is set: this is what a channel in Slack would be told.")
    result = recorded(wanted).result
    told = [pair for one in routes for pair in _told(result, one)]
    if as_json:
        sent = [
            {"route": one.name, "to": one.to, "sent": _sent(one, what, settings)}
            for one, what in told
        ]
        typer.echo(json.dumps(sent, indent=2, ensure_ascii=False))
        return
    for one, what in told:
        print_alert(one, what)
        if not what.counts and not what.gaps and one.quiet:
            out.print("Nothing to tell: the route stays quiet.", style="dim")
        out.print()


def try_(names: Sequence[str] | None, config: Path | None) -> None:
    """Send a test to each route, or those named; raise typer.Exit."""
    settings = read_alert_settings(os.environ, config)
    routes = _chosen(settings.routes, names)
    if not routes:
        raise UsageError(
            "There is nobody to tell: no route is set.",
            help="Set KEYVIGIL_SLACK_TOKEN and KEYVIGIL_SLACK_CHANNEL, or list routes in"
            " keyvigil.yaml; docs/alerts.md says how.",
        )
    sinks = make_sinks(settings, time.sleep)
    failed = [one for one in routes if not _try(one, sinks[one.name], settings)]
    raise typer.Exit(ExitCode.NOT_ALERTED if failed else ExitCode.DONE)


def print_alert(route: Route, what: Announcement) -> None:
    """Print an alert as a person sees it."""
    to = f" to {route.to}" if route.to else ""
    out.print(Text.assemble((f"{route.name}", "bold"), (f"{to}:", "dim")))
    out.print(inert(f"  {headline(what)}", "bold"))
    for line in in_lines(what, _SHOWN):
        tell(out, inert(f"  {line}".rstrip()))


def _told(result: ScanResult, route: Route) -> list[tuple[Route, Announcement]]:
    """Return what a route is told; of many owners, what the first few are."""
    if route.sink is not Sink.SLACK_OWNERS:
        return [(route, announcement(result, route))]
    each = drafts(result, [route], {route.name})[:_OWNERS_SHOWN]
    return [(replace(route, to=one.target or route.to), one.announcement) for one in each]


def _chosen(routes: Sequence[Route], names: Sequence[str] | None) -> Sequence[Route]:
    known = {route.name: route for route in routes}
    for name in names or ():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"There is no route '{name}'.", help=f"Routes: {listed}.")
    return [known[name] for name in names] if names else routes


def _sent(route: Route, what: Announcement, settings: AlertSettings) -> Any:  # noqa: ANN401 - JSON
    """Return what goes over the wire."""
    delivery = _delivery(route, what)
    match route.sink:
        case Sink.WEBHOOK:
            return alert_json(delivery)
        case Sink.EMAIL:
            return {"subject": headline(what), "text": list(in_lines(what, _SHOWN))}
        case _:
            style = Style(
                mention=route.mention,
                report=settings.report,
                has_thread=route.sink is not Sink.SLACK_WEBHOOK,
                is_personal=route.sink is Sink.SLACK_OWNERS,
            )
            return [
                {"text": message.text, "blocks": list(message.blocks)}
                for message in messages(what, style)
            ]


def _try(route: Route, sink: AlertSink, settings: AlertSettings) -> bool:
    """Send the test to one route; print how it went."""
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
    """Yield a line for each scope that the Slack app lacks."""
    if route.sink not in (Sink.SLACK, Sink.SLACK_OWNERS):
        return
    try:
        granted = slack_scopes(settings, time.sleep)
    except KeyVigilError:
        return  # sending tells it better
    for scope in missing(route, granted):
        how = "is needed" if scope.is_needed else "would help"
        yield f"{route.name}: the scope {' or '.join(scope.names)} {how}, {scope.purpose}."


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
    """Return what is sent now and kept nowhere; an owner's goes to who stands in for owners."""
    draft = Draft(route.name, route.sink, "", what)
    return Delivery(id=f"{what.scan_id}-{os.urandom(4).hex()}", made_at=now(), draft=draft)


class _Nowhere:
    """Implements Log for what is kept nowhere."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}

    def part(self, name: str) -> Part | None:
        """Return what was noted of a part."""
        return self._parts.get(name)

    def begin(self, name: str, **receipt: str) -> None:
        """Note nothing: nobody comes back to it."""

    def done(self, name: str, **receipt: str) -> None:
        """Note that a part arrived."""
        self._parts[name] = Part(state=PartState.SENT, at=now(), receipt=receipt)

    def earlier_today(self) -> tuple[Delivery, ...]:
        """Return nothing: a test stands for itself."""
        return ()
