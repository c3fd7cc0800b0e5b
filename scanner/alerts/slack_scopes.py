"""The scopes that a Slack app needs, and those that are recommended. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from scanner.announcement import Route, Sink


class Scope(NamedTuple):
    """A scope, its purpose, and whether alerts fail without it; one of `names` is enough."""

    names: tuple[str, ...]
    purpose: str
    is_needed: bool


def missing(route: Route, granted: frozenset[str]) -> Iterator[Scope]:
    """Yield the scopes that a route's app lacks."""
    return (scope for scope in _wanted(route) if granted.isdisjoint(scope.names))


def _wanted(route: Route) -> Iterator[Scope]:
    if route.sink not in (Sink.SLACK, Sink.SLACK_OWNERS):
        return
    yield Scope(("chat:write",), "to post messages", is_needed=True)
    if route.attach:
        yield Scope(("files:write",), "to attach the report", is_needed=True)
    if route.sink is Sink.SLACK_OWNERS:
        yield Scope(("users:read.email",), "to find owners by their address", is_needed=True)
        yield Scope(("im:write",), "to message owners", is_needed=True)
        history: tuple[str, ...] = ("im:history",)
    else:
        history = ("channels:history", "groups:history")
    again = "to search for a message after a lost response, instead of sending it twice"
    yield Scope(history, again, is_needed=False)
    if route.to.startswith("#"):
        names = ("channels:read", "groups:read")
        yield Scope(names, "to find the channel by its name for that search", is_needed=False)
