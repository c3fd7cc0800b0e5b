"""The history as commands use it: where it is, and whose."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scanner.announcement import Route
from scanner.cli.identifying import identified
from scanner.cli.stopping import Loss
from scanner.cli.telling import Alerts, read_alerts
from scanner.errors import StoreError, StoreLocked, UsageError
from scanner.identity import Identity
from scanner.ports import Lease
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings
from scanner.settings_file import read_bounds
from scanner.wiring import open_store

if TYPE_CHECKING:
    from scanner.store.history import SqlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The nights before, to compare with; who is told of tonight, and what may be revoked.

    `organization` is what the rows of the history are kept under, `identity` how it was found.
    `lease` is None if tonight is not to be recorded: then nobody is told, and nothing is revoked.
    `settings` lead to the keys, and `own_key` is the one that is used for that, if it is known.
    `is_told_to_end` tells whether somebody wants the scan to end: nothing is revoked from then on.
    `loss` tells a walk that another scan took the lock over.
    """

    store: "SqlStore"
    organization: str
    lease: Lease | None
    alerts: Alerts = field(default_factory=Alerts)
    bounds: Bounds = field(default_factory=Bounds)
    settings: Settings | None = None
    own_key: Secret = field(default_factory=lambda: Secret(""))
    is_told_to_end: Callable[[], bool] = lambda: False
    loss: Loss = field(default_factory=Loss)
    identity: Identity | None = None

    @property
    def name(self) -> str:
        """The name of the organization's history, for people and programs."""
        return self.identity.name if self.identity else self.organization


@contextmanager
def remembering(
    settings: Settings,
    store: StoreSettings | None,
    organization: str | None,
    config: Path | None,
    again: Callable[[str], ScanResult | None],
    retried: Callable[[], None] = lambda: None,
    *,
    is_dry: bool,
    is_alone: bool = True,
    failed: Callable[[StoreError], None] | None = None,
) -> Iterator[Memory | None]:
    """Hold the organization's lock, unless `is_dry`, while the context lasts; None: no history.

    `again` returns a recorded scan's result, `retried` learns of each retry; `is_alone`: no other
    organization is scanned. `failed` receives why the history cannot be used, and the scan goes
    on without it. Raise StoreLocked if another scan runs, ApiError, or UsageError.
    """
    alerts, bounds = read_alerts(config, again), read_bounds(os.environ, config)
    if store is None:
        refuse_to_forget(alerts.routes, bounds)
        yield None
        return
    with ExitStack() as held:
        memory: Memory | None = None
        try:
            history = open_store(store)
            identity = identified(settings, history, organization, retried, is_alone=is_alone)
            memory = Memory(
                store=history,
                organization=identity.organization,
                lease=None,
                alerts=alerts,
                bounds=bounds,
                settings=settings,
                own_key=settings.admin_key,
                identity=identity,
            )
            if not is_dry:
                lock = history.hold(identity.organization, memory.loss.tell)
                memory = replace(memory, lease=held.enter_context(lock))
        except StoreLocked:
            raise
        except StoreError as error:
            if failed is None:
                raise
            memory = None
            failed(StoreError(f"The scan was not recorded. {error}", help=error.help))
        yield memory


def refuse_to_forget(routes: Sequence[Route], bounds: Bounds) -> None:
    """Raise UsageError for what cannot be without a history: telling what is new, revoking."""
    if routes or bounds.mode is not Mode.OFF:
        what = "alerts" if routes else "revocation"
        raise UsageError(
            f"Without a history nobody can be told what is new: --store none, and {what}.",
            help=f"Leave out --store none, or the {what}.",
        )
