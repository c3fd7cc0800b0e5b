"""Determine the history of a scan: named by the settings, or by the API."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from scanner.cli.console import say
from scanner.cli.stopping import run_until_told
from scanner.cli.watching import watching
from scanner.identity import NAME_IT, UNNAMED, Identity, NameSource, identify
from scanner.openai_api.naming import Named
from scanner.settings import Settings
from scanner.wiring import list_projects, name_organization

if TYPE_CHECKING:
    from scanner.store.history import SqlStore


def identified(
    settings: Settings,
    store: "SqlStore",
    chosen: str | None,
    retried: Callable[[], None],
    *,
    is_alone: bool = True,
) -> Identity:
    """Return the history that a scan of this organization continues.

    The API is requested only if no name is `chosen`, or no history has this name yet; never for
    one of several organizations, which would wait for each other. Raise ApiError if the request
    fails, UsageError if two organizations would share a history.
    """
    known = store.names.called(chosen) if chosen else None
    if chosen and known:
        return identify(chosen, NameSource.CHOSEN, known, ())
    if chosen and (not is_alone or not store.names.has_any()):
        return identify(chosen, NameSource.CHOSEN, None, ())
    with watching(is_verbose=False, retried=retried) as progress:
        named = run_until_told(name_organization(settings, progress))
        name, source = _name_of(named, chosen)
        known, ids = store.names.called(name), named.project_ids
        sharing = store.names.sharing(ids)
        if not sharing and not named.is_all and store.names.has_any():
            ids = run_until_told(list_projects(settings, progress))
            sharing = store.names.sharing(ids)
    identity = identify(name, source, known, sharing, has_projects=bool(ids))
    _report(identity)
    return identity


def _name_of(named: Named, chosen: str | None) -> tuple[str, NameSource]:
    if chosen:
        return chosen, NameSource.CHOSEN
    if named.name:
        return named.name, NameSource.API
    return UNNAMED, NameSource.DEFAULT


def _report(identity: Identity) -> None:
    if identity.source is NameSource.DEFAULT:
        how = "" if identity.is_new else ", matched by its projects"
        say(f"The API returned no organization name; the history is '{identity.name}'{how}.")
        say(f"help: {NAME_IT}")
    if identity.others:
        others = ", ".join(f"'{name}'" for name in identity.others)
        say(
            f"The history '{identity.name}' is new. Other histories have the same projects:"
            f" {others}. Each has separate findings and alerts; the revocation limits apply to all"
            " of them together."
        )
        say(f"help: Use --organization {identity.others[0]} to continue that history.")
