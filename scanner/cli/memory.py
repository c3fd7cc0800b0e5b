"""The history of one organization, opened and locked for a scan."""

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
    """The history to compare a scan with, its alert routes, and the limits of revocation.

    `organization` is the name of the history in the store, `identity` how it was determined.
    Without a `lease` the scan is not recorded, sends no alerts and revokes no keys. Revocation
    uses `settings`; `own_key` is the admin key of this scan, which it must not revoke.
    `is_told_to_end`: the scan should end, and no further keys are revoked. `loss` ends a
    collection when another scan takes over the lock.
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
        """The name of the organization's history, as output shows it."""
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
    """Yield the history, locked unless `is_dry`; None if there is none.

    `again` returns a recorded scan's result, `retried` is called for each retry; `is_alone`: no
    other organization is scanned. If the history cannot be used, `failed` receives the error and
    the scan continues without it. Raise StoreLocked if another scan runs, ApiError, or UsageError.
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
    """Raise UsageError if alerts or revocation are enabled: both need a history."""
    if routes or bounds.mode is not Mode.OFF:
        what = "alerts" if routes else "revocation"
        raise UsageError(
            f"--store none cannot be combined with {what}: a history is required.",
            help=f"Omit --store none, or disable {what}.",
        )
