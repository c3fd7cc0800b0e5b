"""Comparing a scan with its history, recording it, and revoking the keys that are due."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from scanner.announce import drafts
from scanner.announcement import Draft
from scanner.cli.console import say
from scanner.cli.memory import Memory
from scanner.cli.revoking import revoke_tonight, scene_of, with_plan
from scanner.daemon.events import Level
from scanner.errors import KeyVigilError, StoreAway, StoreError
from scanner.formats.snapshot import Snapshot, render_snapshot
from scanner.identity import Identified
from scanner.inventory import Inventory, Key, OwnerKind
from scanner.policy.model import Policy
from scanner.ports import Collector, Lease
from scanner.redaction import without_addresses_in_draft
from scanner.result import ScanResult
from scanner.revocation import Mode
from scanner.scan import Scanned, compared, gone_by_history, remember, with_departures

Result = TypeVar("Result")
PAUSES: Final = (5, 10, 15, 25, 30)
"""Seconds between attempts: a restarting database is unavailable for about a minute."""
_LOOK: Final = 0.5


def with_history(
    collect: Collector, policies: Sequence[Policy], memory: Memory | None
) -> Collector:
    """Return a collector that adds, from the history, since when owners have been gone."""
    rules = gone_by_history(policies)
    if memory is None or not rules:
        return collect

    def collected() -> Inventory:
        inventory = collect()
        users = {user.id for user in inventory.users}
        if users.issuperset(key.owner.id for key in inventory.keys if _is_of_person(key)):
            return inventory
        try:
            cases = _patiently(lambda: memory.store.opened(memory.organization, rules), memory)
        except StoreError:  # the comparison with the history reports it
            return inventory
        return with_departures(inventory, cases, rules)

    return collected


def _is_of_person(key: Key) -> bool:
    return key.owner.kind is OwnerKind.USER


def remembered(
    scanned: Scanned, memory: Memory | None, *, masks: bool = False
) -> tuple[ScanResult, list[KeyVigilError]]:
    """Compare with earlier scans, record this one and revoke the keys that are due.

    Return the result and the errors: the findings are reported even if the history fails. `masks`
    e-mail addresses in alerts.
    """
    result, scene = scanned.result, None
    failures: list[KeyVigilError] = []
    if memory is None:
        return result, []
    try:
        result = _patiently(lambda: _compared(scanned, memory), memory)
        if memory.bounds.mode is not Mode.OFF:
            try:
                scene = scene_of(result, scanned, memory)
                result = with_plan(scene)
            except StoreError as error:  # the scan is still recorded, no key revoked
                failures.append(error)
        lease = memory.lease
        if lease is None:
            return result, failures
        seen = Snapshot(taken_at=result.started_at, inventory=scanned.inventory)
        document = render_snapshot(seen)
        _patiently(lambda: _record(result, scanned, document, memory, lease, masks=masks), memory)
    except StoreError as error:
        return result, [*failures, error]
    result, more = revoke_tonight(result, scene, memory, lease, masks=masks)
    return result, [*failures, *more]


def _compared(scanned: Scanned, memory: Memory) -> ScanResult:
    return compared(scanned, memory.store, memory.organization, memory.identity)


def _patiently(work: Callable[[], Result], memory: Memory) -> Result:
    """Use the history; retry while it is unavailable, so that the collection is not repeated.

    Raise StoreError after the last attempt, or immediately if the scan should end.
    """
    for pause in PAUSES:
        try:
            return work()
        except StoreAway as error:
            if memory.is_told_to_end():
                raise
            say(f"{error} Retrying in {pause} s.", level=Level.WARNING)
        for _ in range(int(pause / _LOOK)):
            if not memory.is_told_to_end():
                time.sleep(_LOOK)
    return work()


def _record(
    result: ScanResult,
    scanned: Scanned,
    document: bytes,
    memory: Memory,
    lease: Lease,
    *,
    masks: bool,
) -> None:
    """Record the scan, unless an earlier attempt did and only its response was lost."""
    ids = tuple(project.id for project in scanned.inventory.projects)
    identity = memory.identity
    identified = Identified(identity=identity, project_ids=ids) if identity else None
    until = result.started_at + timedelta.resolution
    nights = memory.store.nights(memory.organization, 1, before=until)
    if not nights or nights[-1].scan_id != result.id:
        alerts = alerts_of(result, memory, masks=masks)
        remember(
            result,
            memory.store,
            lease,
            document,
            alerts,
            policies=scanned.policies,
            identified=identified,
        )


def alerts_of(
    result: ScanResult, memory: Memory, *, masks: bool, at: datetime | None = None
) -> tuple[Draft, ...]:
    """Return the alerts of a scan; of a recorded one, as of its start `at`.

    Routes and owners are matched by the original addresses; `masks` masks them afterwards.
    """
    routes, outbox, organization = memory.alerts.routes, memory.store.outbox, memory.organization
    if not routes:
        return ()
    coming = frozenset(
        item.fingerprint
        for delivery in outbox.pending(organization, at)
        for item in delivery.draft.announcement.items
        if item.promise
    )
    made = drafts(result, routes, outbox.routes(organization, at), coming)
    return tuple(map(without_addresses_in_draft, made)) if masks else made
