"""The checks of `keyvigil doctor` for alerts. No message is sent."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from scanner.alert_settings import AlertSettings, read_alert_settings, read_ping_url
from scanner.alerts.slack_scopes import missing
from scanner.announcement import Route, Sink
from scanner.checkup import Check, State, ok, problem, revocation, unchecked
from scanner.cli.console import counted
from scanner.cli.examining import attempted
from scanner.cli.examining_settings import WRONG_FILE
from scanner.errors import AlertError, KeyVigilError
from scanner.schedule_file import Timing
from scanner.settings_file import (
    find_settings_file,
    read_bounds,
    read_settings_file,
    timing_of,
)
from scanner.wiring import make_sinks, now, reach_mail_server, slack_channel, slack_scopes

_SLACK = (Sink.SLACK, Sink.SLACK_OWNERS)
_RUNS = 3


def file_and_what_rests_on_it(
    environment: Mapping[str, str], config: Path | None
) -> Iterator[Check]:
    """Check the settings file, then the routes, revocation and schedule that it configures."""
    file = find_settings_file(environment, config)
    if file is None:
        yield ok("settings file", "none; settings come from the environment")
    else:
        try:
            said = read_settings_file(file)
        except KeyVigilError as error:
            yield problem("settings file", error)
            yield unchecked("alerts", WRONG_FILE)
            yield unchecked("revocation", WRONG_FILE)
            yield unchecked("schedule", WRONG_FILE)
            return
        parts = [
            *([counted(len(said.organizations), "organization")] if said.organizations else []),
            counted(len(said.routes), "route"),
        ]
        yield ok("settings file", f"{file}: {', '.join(parts)}")
    yield from attempted("alerts", lambda: _alerts(environment, config))
    yield from attempted("revocation", lambda: [revocation(read_bounds(environment, config))])
    yield from attempted("schedule", lambda: [_schedule(timing_of(environment, config))])


def _schedule(timing: Timing) -> Check:
    """Return the next scans of `keyvigil serve`, in the time zone of the schedule."""
    due, runs = now(), []
    for _ in range(_RUNS):
        due = timing.schedule.after(due)
        runs.append(f"{due.astimezone(timing.schedule.zone):%a %Y-%m-%d %H:%M %Z}")
    return ok("schedule", f"keyvigil serve: {timing.words}, next {', '.join(runs)}")


def pings(environment: Mapping[str, str]) -> Iterator[Check]:
    """Check whether a ping address is set; no ping is sent."""
    if read_ping_url(environment) is None:
        yield ok("pings", "none; to detect missed scans, set KEYVIGIL_PING_URL")
    else:
        yield unchecked("pings", "an address is set; it can be tested only by a ping")


def _alerts(environment: Mapping[str, str], config: Path | None) -> Iterator[Check]:
    settings = read_alert_settings(environment, config)
    make_sinks(settings, time.sleep)
    if not settings.routes:
        yield ok("alerts", "no routes; scans send no alerts")
        return
    yield ok("alerts", ", ".join(f"{route.name} ({route.sink.value})" for route in settings.routes))
    granted: frozenset[str] | None = None
    if settings.token is not None:
        try:
            granted = slack_scopes(settings, time.sleep)
            scopes = ", ".join(sorted(granted)) or "none"
            yield ok("slack token", f"accepted; scopes: {scopes}")
        except AlertError as error:
            yield problem("slack token", error)
    for route in settings.routes:
        look = partial(_route, route, settings, granted)
        yield from attempted(f"route {route.name}", look)


def _route(
    route: Route, settings: AlertSettings, granted: frozenset[str] | None
) -> Iterator[Check]:
    name = f"route {route.name}"
    if route.sink is Sink.EMAIL:
        reach_mail_server(settings, route)
        yield ok(name, "connected to the mail server; no message was sent")
    elif route.sink not in _SLACK:
        again = f"Send a test message: keyvigil alerts test --route {route.name}"
        yield unchecked(name, "can be tested only by a message", again)
    elif granted is None:
        yield unchecked(name, "requires a Slack token that Slack accepts")
    else:
        yield from _scopes(name, route, granted)
        yield _channel(name, route, settings, granted)


def _scopes(name: str, route: Route, granted: frozenset[str]) -> Iterator[Check]:
    """Yield a check for each missing scope of the Slack app."""
    for scope in missing(route, granted):
        names = " or ".join(scope.names)
        if scope.is_needed:
            error = AlertError(
                f"the Slack app does not have the scope {names}, required {scope.purpose}",
                help=f"Add the scope {names} to the app (OAuth & Permissions) and reinstall it.",
            )
            yield problem(name, error)
        else:
            mend = f"Add the scope {names} {scope.purpose}."
            yield ok(name, f"the optional scope {names} is missing", mend)


def _channel(name: str, route: Route, settings: AlertSettings, granted: frozenset[str]) -> Check:
    from scanner.alerts.slack_api import SlackRefused  # noqa: PLC0415 - slow to import

    try:
        found = slack_channel(settings, route.to, time.sleep)
    except SlackRefused as error:
        if error.reason != "missing_scope":
            raise
        again = f"Send a test message: keyvigil alerts test --route {route.name}"
        return unchecked(name, f"the app has no permission to look up {route.to}", again)
    if found is None:
        mend = (
            "Check the channel's name, and that it is not archived. Invite the app to a private"
            " channel."
        )
        return problem(name, AlertError(f"the channel {route.to} was not found", help=mend))
    if found.get("is_archived"):
        mend = "Set a channel that is not archived."
        return problem(name, AlertError(f"the channel {route.to} is archived", help=mend))
    if not found.get("is_member") and "chat:write.public" not in granted:
        mend = "Invite the app to the channel: /invite @KeyVigil."
        return problem(name, AlertError(f"the app is not in the channel {route.to}", help=mend))
    return Check(name=name, state=State.OK, said=f"the app is in the channel {route.to}")
