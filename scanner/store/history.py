"""The port Store on a database: records scans and finding records, and reads them back."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select, true

from scanner.announcement import Draft
from scanner.compare import as_of
from scanner.errors import LockLost, UsageError
from scanner.identity import Identified
from scanner.lifecycle import Case, Event, History, Night, State
from scanner.ports import Lease, Past
from scanner.receipt import Act, Entry
from scanner.store.database import Database
from scanner.store.journal import SqlJournal, acts_elsewhere, acts_of, journals
from scanner.store.keeping import Keeping, Pruned, forget
from scanner.store.locks import extend, holding, taken_over
from scanner.store.names import SqlNames, histories_called, keep_identity
from scanner.store.outbox import SqlOutbox, end_notices, enqueue
from scanner.store.packed import pack, unpack
from scanner.store.rows import (
    CASE,
    case_of,
    event_of,
    night_of,
    row_of_case,
    row_of_event,
    row_of_night,
)
from scanner.store.schema import cases, events, policies, scans, snapshots
from scanner.store.statements import in_parts, upserting

_AS_BEFORE: Final = (State.UNVERIFIED, State.NOT_EVALUATED)
"""States without new facts: the description of the finding record does not change."""


class SqlStore:
    """Implements the port Store, and the queries of the commands that read the history."""

    def __init__(self, database: Database, *, keeping: Keeping, lease: float) -> None:
        """Use leases of `lease` seconds; each recorded scan deletes what `keeping` excludes."""
        self._database, self._keeping, self._lease = database, keeping, lease

    @property
    def place(self) -> str:
        """Where the history is, for messages."""
        return self._database.place

    def hold(
        self, organization: str, lost: Callable[[LockLost], None] = lambda _error: None
    ) -> AbstractContextManager[Lease]:
        """Lock the organization against other scans while the context lasts.

        `lost` is called, in a thread of its own, if another scan takes over.
        """
        return holding(self._database, organization, self._lease, lost)

    def cases(self, organization: str, fingerprints: Iterable[str]) -> tuple[Case, ...]:
        """Return all open finding records, and the closed ones with these fingerprints."""
        ours = select(*CASE).where(cases.c.organization == organization)
        with self._database.reading() as connection:
            rows = connection.execute(ours.where(cases.c.resolved_at.is_(None)))
            found = [case_of(row) for row in rows]
            others = sorted(set(fingerprints).difference(case.fingerprint for case in found))
            for some in in_parts(others):
                rows = connection.execute(ours.where(cases.c.fingerprint.in_(some)))
                found += [case_of(row) for row in rows]
        return tuple(found)

    def opened(self, organization: str, rules: Iterable[str]) -> tuple[Case, ...]:
        """Return the open finding records of these rules."""
        query = select(*CASE).where(
            cases.c.organization == organization,
            cases.c.resolved_at.is_(None),
            cases.c.rule.in_(sorted(rules)),
        )
        with self._database.reading() as connection:
            return tuple(case_of(row) for row in connection.execute(query))

    def closed(self, organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        """Return the latest finding records resolved since `since` that still are, latest first."""
        query = (
            select(*CASE)
            .where(cases.c.organization == organization, cases.c.resolved_at >= since)
            .order_by(cases.c.resolved_at.desc(), cases.c.fingerprint)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(case_of(row) for row in connection.execute(query))

    def nights(
        self, organization: str | None, limit: int, *, before: datetime | None = None
    ) -> tuple[Night, ...]:
        """Return the latest recorded scans of one organization, or of all, oldest first."""
        query = _of(organization).order_by(scans.c.started_at.desc(), scans.c.scan_id).limit(limit)
        if before is not None:
            query = query.where(scans.c.started_at < before)
        with self._database.reading() as connection:
            return tuple(night_of(row) for row in connection.execute(query))[::-1]

    @property
    def outbox(self) -> SqlOutbox:
        """The pending deliveries, in the same database."""
        return SqlOutbox(self._database, lease=self._lease)

    def record(  # noqa: PLR0913, PLR0917 - one transaction records all of them
        self,
        lease: Lease,
        history: History,
        snapshot: bytes,
        drafts: Iterable[Draft] = (),
        texts: Mapping[str, str] | None = None,
        identified: Identified | None = None,
        *,
        forgets: bool = True,
    ) -> None:
        """Record a scan and its alerts in one transaction.

        `texts` are its policies by digest; `identified` is its name and projects; `forgets`:
        also delete old rows. Raise LockLost if another scan has taken over.
        """
        night = history.nights[-1]
        changed = [s.case for s in history.standings if s.state not in _AS_BEFORE]
        happened = [s for s in history.standings if s.is_event]
        seen = {"scan_id": night.scan_id, "content": snapshot, "history": pack(history)}
        with self._database.writing() as connection:
            if not extend(connection, lease, self._lease):
                raise taken_over(lease.organization)
            connection.execute(insert(scans), row_of_night(night))
            connection.execute(insert(snapshots), seen)
            _keep_texts(connection, texts or {}, night.started_at)
            for some in in_parts(changed):
                rows = [row_of_case(case, lease.organization) for case in some]
                connection.execute(_upsert_cases(connection), rows)
            end_notices(connection, lease.organization, history.of(State.NEW, State.REOPENED))
            for part in in_parts(happened):
                connection.execute(insert(events), [row_of_event(one, night) for one in part])
            enqueue(connection, lease.organization, night.started_at, drafts)
            keep_identity(connection, lease.organization, identified, night.started_at)
            if forgets:
                forget(connection, lease.organization, self._keeping, night.started_at)

    @property
    def names(self) -> SqlNames:
        """The names of the histories, in the same database."""
        return SqlNames(self._database)

    def acts(self, organization: str) -> tuple[Act, ...]:
        """Return all actions on the organization's keys, oldest first."""
        return acts_of(journals(self._database, organization).get(organization, ()), organization)

    def acts_elsewhere(self, organization: str, ids: frozenset[str]) -> tuple[Act, ...]:
        """Return the actions in its other histories, found by `ids` of its projects and keys."""
        return acts_elsewhere(self._database, organization, ids)

    def journals(self) -> dict[str, tuple[Entry, ...]]:
        """Return each organization's journal as stored, without verifying its chain."""
        return journals(self._database)

    def journal(self, lease: Lease) -> SqlJournal:
        """Return the journal of actions on keys."""
        return SqlJournal(self._database, lease, self._lease)

    def find(
        self, name: str, organization: str | None = None, *, before: datetime | None = None
    ) -> Night:
        """Return the scan with this id or id prefix; `latest`; or `previous`, the one before it.

        If any scan began before `before`, later ones are ignored: their clock was ahead. Raise
        UsageError if no scan, or more than one, matches.
        """
        places = {"latest": -1, "previous": -2}
        if name in places:
            before = before if self.nights(organization, 1, before=before) else None
            latest = self.nights(organization, 1, before=before)
            nights = self.nights(latest[0].organization, 2, before=before) if latest else ()
            if len(nights) >= -places[name]:
                return nights[places[name]]
            of = f" of {latest[0].organization}" if latest else ""
            raise self._no_scan(f"No {name} scan{of} was found")
        query = _of(organization).where(scans.c.scan_id.startswith(name, autoescape=True))
        with self._database.reading() as connection:
            found = [night_of(row) for row in connection.execute(query.limit(2))]
        if len(found) == 1:
            return found[0]
        what = "More than one scan" if found else "No scan"
        raise self._no_scan(f"{what} with an id that starts with '{name}' was found")

    def snapshot(self, scan_id: str) -> bytes:
        """Return a scan's snapshot; raise UsageError if it was deleted."""
        query = select(snapshots.c.content).where(snapshots.c.scan_id == scan_id)
        with self._database.reading() as connection:
            content = connection.execute(query).scalar()
            if content is not None:
                return bytes(content)
        raise UsageError(
            f"The snapshot of the scan {scan_id} is no longer kept.",
            help="Use a later scan, or raise KEYVIGIL_KEEP_SNAPSHOTS to keep more snapshots.",
        )

    def reported(self, scan_id: str) -> History | None:
        """Return a scan's history as it was reported; None if it was not kept."""
        query = select(snapshots.c.history).where(snapshots.c.scan_id == scan_id)
        with self._database.reading() as connection:
            content = connection.execute(query).scalar()
            return None if content is None else unpack(bytes(content))

    def policy_texts(self, night: Night) -> dict[str, str]:
        """Return the texts of a scan's policies, by digest."""
        digests = {source.digest for source in night.sources}
        query = select(policies.c.digest, policies.c.text).where(policies.c.digest.in_(digests))
        with self._database.reading() as connection:
            return {row.digest: row.text for row in connection.execute(query)}

    def events(self, organization: str, until: datetime) -> tuple[Event, ...]:
        """Return all events up to `until`, oldest first."""
        query = (
            select(events)
            .where(events.c.organization == organization, events.c.at <= until)
            .order_by(events.c.at)
        )
        with self._database.reading() as connection:
            return tuple(event_of(row) for row in connection.execute(query))

    def before(self, night: Night) -> Past:
        """Return the history as it was before a scan, to compare the scan with it again."""
        return _Before(self, night)

    def prune(self, organization: str, now: datetime) -> Pruned:
        """Delete what is older than the retention settings allow."""
        with self._database.writing() as connection:
            return forget(connection, organization, self._keeping, now)

    def organizations(self) -> tuple[str, ...]:
        """Return the organizations with recorded scans."""
        query = select(scans.c.organization).distinct().order_by(scans.c.organization)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def _no_scan(self, what: str) -> UsageError:
        return UsageError(
            f"{what} in the history in {self.place}.", help="keyvigil history lists the scans."
        )


class _Before:
    """Implements the port Past with the state before one scan."""

    def __init__(self, store: SqlStore, night: Night) -> None:
        self._store, self._night = store, night

    def cases(self, organization: str, _fingerprints: Iterable[str]) -> tuple[Case, ...]:
        """Return every finding record with an event by then."""
        before = self.nights(organization, 1)
        if not before:
            return ()
        until = before[0].started_at
        happened = self._store.events(organization, until)
        known = self._store.cases(organization, {event.fingerprint for event in happened})
        return as_of(known, happened, until)

    def closed(self, organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        """Return the latest finding records resolved by then, latest first."""
        known = self.cases(organization, ())
        closed = [case for case in known if case.resolved_at and case.resolved_at >= since]
        closed.sort(key=lambda case: case.fingerprint)
        closed.sort(key=lambda case: case.resolved_at or since, reverse=True)
        return tuple(closed[:limit])

    def nights(
        self, organization: str, limit: int, *, before: datetime | None = None
    ) -> tuple[Night, ...]:
        """Return the latest scans before that one, oldest first."""
        at = self._night.started_at
        return self._store.nights(organization, limit, before=min(before or at, at))


def _of(organization: str | None) -> Select[Any]:
    """Select the scans of the history with that name, or of all histories."""
    return select(scans).where(
        true() if organization is None else scans.c.organization.in_(histories_called(organization))
    )


def _keep_texts(connection: Connection, texts: Mapping[str, str], at: datetime) -> None:
    """Store each policy's text once, for all scans that use it."""
    rows = [{"digest": digest, "text": text, "first_seen": at} for digest, text in texts.items()]
    if rows:
        new = upserting(connection, policies)
        connection.execute(new.on_conflict_do_nothing(index_elements=["digest"]), rows)


def _upsert_cases(connection: Connection) -> Any:  # noqa: ANN401 - the class depends on the database
    new = upserting(connection, cases)
    keys = ("organization", "fingerprint")
    rest = {column.name: new.excluded[column.name] for column in cases.c if column.name not in keys}
    return new.on_conflict_do_update(index_elements=keys, set_=rest)
