"""The port Outbox on a database: rows of `deliveries` <-> deliveries."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, delete, insert, select, update

from scanner.announcement import (
    Announcement,
    Delivery,
    Draft,
    Item,
    Part,
    PartState,
    Sink,
    Topic,
)
from scanner.errors import StoreError
from scanner.lifecycle import Standing
from scanner.ports import Lease
from scanner.revocation import Promise, Told
from scanner.severity import Severity
from scanner.store.database import Database
from scanner.store.locks import extend
from scanner.store.schema import announcements, deliveries

PENDING: Final = "pending"
_DELIVERED: Final = "delivered"
_GIVEN_UP: Final = "given_up"
_PROMISE: Final[TypeAdapter[Any]] = TypeAdapter(Promise | None)


class SqlOutbox:
    """Implements the port Outbox; each write renews the lease by `lease` seconds."""

    def __init__(self, database: Database, *, lease: float) -> None:
        self._database = database
        self._lease = lease

    def pending(self, organization: str, at: datetime | None = None) -> tuple[Delivery, ...]:
        """Return the deliveries pending now, or at the start of a scan, oldest first."""
        is_pending = deliveries.c.state == PENDING
        if at is not None:
            is_pending |= (deliveries.c.state == _DELIVERED) & (deliveries.c.delivered_at >= at)
            is_pending &= deliveries.c.made_at < at
        query = (
            select(deliveries)
            .where(deliveries.c.organization == organization, is_pending)
            .order_by(deliveries.c.made_at, deliveries.c.route, deliveries.c.delivery_id)
        )
        with self._database.reading() as connection:
            return tuple(_delivery(row) for row in connection.execute(query))

    def delivered(
        self, organization: str, route: str, target: str, since: datetime
    ) -> tuple[Delivery, ...]:
        """Return the completed deliveries to a target, of scans since `since`, oldest first."""
        query = (
            select(deliveries)
            .where(
                deliveries.c.organization == organization,
                deliveries.c.state == _DELIVERED,
                deliveries.c.route == route,
                deliveries.c.target == target,
                deliveries.c.made_at >= since,
            )
            .order_by(deliveries.c.made_at)
        )
        with self._database.reading() as connection:
            return tuple(_delivery(row) for row in connection.execute(query))

    def routes(self, organization: str, before: datetime | None = None) -> frozenset[str]:
        """Return the routes that had an alert of any scan, or of one before `before`."""
        query = select(deliveries.c.route).where(deliveries.c.organization == organization)
        if before is not None:
            query = query.where(deliveries.c.made_at < before)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query.distinct()).scalars())

    def note(self, lease: Lease, delivery_id: str, name: str, part: Part) -> None:
        """Record the progress of a part; raise StoreError if another scan has taken over."""
        ours = deliveries.c.delivery_id == delivery_id
        with self._database.writing() as connection:
            self._hold(connection, lease)
            receipt = connection.execute(select(deliveries.c.receipt).where(ours)).scalar_one()
            parts = {**(receipt or {}), name: _row_of_part(part)}
            is_begun = part.state is PartState.SENDING
            attempts = deliveries.c.attempts + 1 if is_begun else deliveries.c.attempts
            values = {"receipt": parts, "attempts": attempts}
            connection.execute(update(deliveries).where(ours).values(values))

    def close(
        self,
        lease: Lease,
        delivery: Delivery,
        at: datetime,
        named: frozenset[str] | None,
        *,
        starts_grace: bool,
    ) -> None:
        """Mark a delivery that `named` these findings as done; None: as given up.

        Its notices start grace periods only if `starts_grace`.
        """
        values: dict[str, Any] = {"state": _GIVEN_UP}
        if named is not None:
            values = {"state": _DELIVERED, "delivered_at": at}
        ours = deliveries.c.delivery_id == delivery.id
        with self._database.writing() as connection:
            self._hold(connection, lease)
            connection.execute(update(deliveries).where(ours).values(values))
            items = delivery.draft.announcement.items if starts_grace else ()
            for item in items:
                if named and item.fingerprint in named and item.revocation:
                    _announce(connection, lease.organization, item, at)

    def announced(self, organization: str) -> dict[str, Told]:
        """Return the announced revocations and the dates of their notices, by fingerprint."""
        query = select(announcements).where(announcements.c.organization == organization)
        with self._database.reading() as connection:
            return {
                row.fingerprint: Told(
                    row.announced_at,
                    row.last_told_at or row.announced_at,
                    _PROMISE.validate_python(row.promise),
                )
                for row in connection.execute(query)
                if row.promise
            }

    def _hold(self, connection: Connection, lease: Lease) -> None:
        if not extend(connection, lease, self._lease):
            raise StoreError(
                f"Another scan of {lease.organization} took over: this machine slept, or the"
                " database was unreachable. This scan will not send any more alerts.",
                help="No action is needed: the other scan sends the remaining alerts.",
            )


def enqueue(
    connection: Connection, organization: str, made_at: datetime, drafts: Iterable[Draft]
) -> None:
    """Add the alerts of a scan to the outbox, in the transaction that records the scan."""
    rows = [
        {
            "delivery_id": delivery_id(organization, draft),
            "scan_id": draft.announcement.scan_id,
            "organization": organization,
            "sink": draft.sink.value,
            "route": draft.route,
            "state": PENDING,
            "attempts": 0,
            "made_at": made_at,
            "target": draft.target,
            "content": _row_of(draft.announcement),
        }
        for draft in drafts
    ]
    if rows:
        connection.execute(insert(deliveries), rows)


def end_notices(connection: Connection, organization: str, found: Iterable[Standing]) -> None:
    """Delete the notices of new and reopened findings: they need a new notice.

    The dates alone are not enough: the clock may have been behind when a finding was reopened.
    """
    ours = announcements.c.organization == organization
    announced = connection.execute(select(announcements.c.fingerprint).where(ours)).scalars()
    for fingerprint in {one.case.fingerprint for one in found}.intersection(announced):
        its = announcements.c.fingerprint == fingerprint
        connection.execute(delete(announcements).where(ours, its))


def _announce(connection: Connection, organization: str, item: Item, at: datetime) -> None:
    """Record the first or a repeated notice of a revocation.

    If another route delivers the same notice later, the date stays that of the first.
    """
    ours = (
        (announcements.c.organization == organization)
        & (announcements.c.fingerprint == item.fingerprint)
    )  # fmt: skip
    if item.promise is not None:
        promise = _PROMISE.dump_python(item.promise, mode="json")
        before = connection.execute(select(announcements).where(ours)).one_or_none()
        if (
            before is None
            or before.promise != promise
            or not item.since <= before.announced_at <= at  # else the clock was ahead
        ):
            connection.execute(delete(announcements).where(ours))
            row = {
                "organization": organization,
                "fingerprint": item.fingerprint,
                "announced_at": at,
                "promise": promise,
            }
            connection.execute(insert(announcements), row)
    connection.execute(update(announcements).where(ours).values(last_told_at=at))


def delivery_id(organization: str, draft: Draft) -> str:
    """Return a stable id for a scan, route, target and entry: 32 hexadecimal digits."""
    told = draft.announcement
    named = f"{organization}\0{told.scan_id}\0{draft.route}\0{draft.target}"
    named += f"\0{told.entry}" if told.entry else ""
    return hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()[:32]


def _delivery(row: Row[Any]) -> Delivery:
    draft = Draft(row.route, Sink(row.sink), row.target, _announcement(row.content))
    parts = {name: _part(part) for name, part in (row.receipt or {}).items()}
    return Delivery(id=row.delivery_id, made_at=row.made_at, draft=draft, parts=parts)


def _row_of(announcement: Announcement) -> dict[str, Any]:
    return {
        "scan_id": announcement.scan_id,
        "organization": announcement.organization,
        "at": announcement.at.isoformat(),
        "policies": list(announcement.policies),
        "keys": announcement.keys,
        "keys_violating": announcement.keys_violating,
        "by_severity": {one.value: count for one, count in announcement.by_severity.items()},
        "counts": {one.value: count for one, count in announcement.counts.items()},
        "items": [
            {
                **item._asdict(),
                "since": item.since.isoformat(),
                "promise": _PROMISE.dump_python(item.promise, mode="json"),
            }
            for item in announcement.items
        ],
        "gaps": list(announcement.gaps),
        "notices": list(announcement.notices),
        "entry": announcement.entry,
        "owner": announcement.owner,
    }


def _announcement(row: Mapping[str, Any]) -> Announcement:
    return Announcement(
        scan_id=row["scan_id"],
        organization=row["organization"],
        at=datetime.fromisoformat(row["at"]),
        policies=tuple(row["policies"]),
        keys=row["keys"],
        keys_violating=row["keys_violating"],
        by_severity={Severity(one): count for one, count in row["by_severity"].items()},
        counts={Topic(one): count for one, count in row["counts"].items()},
        items=tuple(_item(item) for item in row["items"]),
        gaps=tuple(row["gaps"]),
        notices=tuple(row.get("notices", ())),
        entry=row.get("entry", 0),
        owner=row.get("owner", ""),
    )


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        **{
            **row,
            "topic": Topic(row["topic"]),
            "severity": Severity(row["severity"]),
            "before": None if row["before"] is None else Severity(row["before"]),
            "since": datetime.fromisoformat(row["since"]),
            "promise": _PROMISE.validate_python(row.get("promise")),
        }
    )


def _row_of_part(part: Part) -> dict[str, Any]:
    return {"state": part.state.value, "at": part.at.isoformat(), "receipt": part.receipt}


def _part(row: Mapping[str, Any]) -> Part:
    return Part(
        state=PartState(row["state"]),
        at=datetime.fromisoformat(row["at"]),
        receipt=dict(row["receipt"]),
    )
