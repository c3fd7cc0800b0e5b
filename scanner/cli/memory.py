"""The history as commands use it: where it is, and whose."""

from collections.abc import Iterator
from contextlib import contextmanager

from scanner.cli.console import say
from scanner.cli.run import Memory
from scanner.cli.stopping import run_until_told
from scanner.cli.telling import Alerts
from scanner.cli.watching import watching
from scanner.errors import UsageError
from scanner.settings import Settings, StoreSettings
from scanner.wiring import name_organization, open_store


@contextmanager
def remembering(
    settings: Settings,
    store: StoreSettings | None,
    organization: str | None,
    alerts: Alerts,
    *,
    is_dry: bool,
) -> Iterator[Memory | None]:
    """Hold the organization's lock, unless `is_dry`, while the context lasts; None: no history.

    Raise StoreLocked if another scan runs, ApiError if the API does not answer.
    """
    if store is None:
        if alerts.routes:
            raise UsageError(
                "Without a history nobody can be told what is new: --store none, and alerts.",
                help="Leave out --store none, or the alerts.",
            )
        yield None
        return
    history = open_store(store)
    organization = organization or _named(settings)
    if is_dry:
        yield Memory(store=history, organization=organization, lease=None)
        return
    with history.hold(organization) as lease:
        outbox = history.outbox
        yield Memory(
            store=history, organization=organization, lease=lease, outbox=outbox, alerts=alerts
        )


def _named(settings: Settings) -> str:
    """Return the organization's name as the API has it, or else one that stands for the key."""
    with watching(is_verbose=False) as progress:
        name = run_until_told(name_organization(settings, progress))
    if name is None:
        name = f"key-{settings.admin_key.digest()}"
        say(
            f"The API does not name the organization: its history is kept under {name}."
            " Name it with --organization, so that it goes on with another admin key."
        )
    return name
