"""Retention: how long recorded data is kept, and deleting the rest."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table, and_, delete, exists, func, select, true, tuple_, update

from scanner.store.outbox import PENDING
from scanner.store.schema import cases, deliveries, events, scans, snapshots

_FORGOTTEN: Final = "forgotten"
"""State of a delivery of which only the route and the date are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long scans are kept, and how many snapshots for each organization."""

    scans: timedelta = timedelta(days=400)
    snapshots: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The number of deleted scans, snapshots and finding records."""

    scans: int
    snapshots: int
    cases: int


def forget(connection: Connection, organization: str, keeping: Keeping, now: datetime) -> Pruned:
    """Delete old scans, old closed finding records with their events, and surplus snapshots.

    Alerts do not depend on the deleted rows: open finding records keep all their events, and the
    scans that later ones are compared with are kept.
    """
    before = now - keeping.scans
    ours = select(scans.c.scan_id).where(scans.c.organization == organization)
    kept = ours.order_by(scans.c.started_at.desc(), scans.c.scan_id).limit(keeping.snapshots)
    compared = _compared_with(connection, organization)
    old = ours.where(scans.c.started_at < before, scans.c.scan_id.not_in(compared))
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
    _forget_deliveries(connection, organization, before, now)
    return Pruned(
        snapshots=forgotten,
        cases=drop(cases, cases.c.organization == organization, cases.c.resolved_at < before),
        scans=drop(scans, scans.c.scan_id.in_(old)),
    )


def _compared_with(connection: Connection, organization: str) -> tuple[str, ...]:
    """Return the scans that the next one is compared with.

    These are the latest scan, and the first incomplete one since the last complete scan.
    """
    ours = select(scans.c.scan_id).where(scans.c.organization == organization)
    complete = select(func.max(scans.c.started_at)).where(
        scans.c.organization == organization, scans.c.complete
    )
    last_complete = connection.execute(complete).scalar()
    since = true() if last_complete is None else scans.c.started_at > last_complete
    first = ours.where(since).order_by(scans.c.started_at, scans.c.scan_id.desc()).limit(1)
    latest = ours.order_by(scans.c.started_at.desc(), scans.c.scan_id).limit(1)
    return tuple(connection.execute(query).scalar() or "" for query in (latest, first))


def _forget_deliveries(
    connection: Connection, organization: str, before: datetime, now: datetime
) -> None:
    """Delete deliveries made before `before`, but keep the fact that a route had an alert.

    Deliveries of the day of the oldest pending one are kept: it joins the messages of that day.
    """
    ours = deliveries.c.organization == organization
    pending = select(func.min(deliveries.c.made_at)).where(ours, deliveries.c.state == PENDING)
    oldest = min(connection.execute(pending).scalar() or now, now)
    day = oldest.replace(hour=0, minute=0, second=0, microsecond=0)
    is_over = deliveries.c.state.not_in((PENDING, _FORGOTTEN))
    is_old = and_(ours, is_over, deliveries.c.made_at < min(before, day))
    other = deliveries.alias()
    is_first = ~exists().where(
        other.c.organization == deliveries.c.organization,
        other.c.route == deliveries.c.route,
        tuple_(other.c.made_at, other.c.delivery_id)
        < tuple_(deliveries.c.made_at, deliveries.c.delivery_id),
    )
    empty: dict[str, Any] = {"state": _FORGOTTEN, "target": "", "content": {}, "receipt": None}
    connection.execute(update(deliveries).where(is_old, is_first).values(empty))
    connection.execute(delete(deliveries).where(is_old))
