"""How long what is recorded is kept, and forgetting the rest."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from scanner.store.schema import cases, deliveries, events, scans, snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long scans are kept, and how many snapshots of each organization."""

    scans: timedelta = timedelta(days=400)
    snapshots: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How much was forgotten."""

    scans: int
    snapshots: int
    cases: int


def forget(connection: Connection, organization: str, keeping: Keeping, now: datetime) -> Pruned:
    """Forget old scans, closed cases as old with all their events, and all but some snapshots.

    An open case keeps its events, however old: when it was first seen is not forgotten.
    """
    before = now - keeping.scans
    ours = select(scans.c.scan_id).where(scans.c.organization == organization)
    kept = ours.order_by(scans.c.started_at.desc(), scans.c.scan_id).limit(keeping.snapshots)
    old = ours.where(scans.c.started_at < before)
    closed = select(cases.c.fingerprint).where(
        cases.c.organization == organization, cases.c.resolved_at < before
    )

    def drop(table: Table, *which: Any) -> int:  # noqa: ANN401 - SQLAlchemy's conditions
        return connection.execute(delete(table).where(*which)).rowcount

    forgotten = drop(
        snapshots,
        snapshots.c.scan_id.in_(ours),
        snapshots.c.scan_id.not_in(kept) | snapshots.c.scan_id.in_(old),
    )
    drop(events, events.c.organization == organization, events.c.fingerprint.in_(closed))
    drop(
        deliveries,
        deliveries.c.organization == organization,
        deliveries.c.made_at < before,
        deliveries.c.state != "pending",  # what waits to be told is not forgotten
    )
    return Pruned(
        snapshots=forgotten,
        cases=drop(cases, cases.c.organization == organization, cases.c.resolved_at < before),
        scans=drop(scans, scans.c.organization == organization, scans.c.started_at < before),
    )
