"""The port Journal on a database: one append-only chain of entries for each organization."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, insert, select

from scanner.announcement import Draft
from scanner.errors import StoreError
from scanner.ports import Lease
from scanner.receipt import (
    FIRST,
    Act,
    Entry,
    Intent,
    Outcome,
    broken_at,
    seal,
)
from scanner.store.database import Database, serialize
from scanner.store.locks import extend
from scanner.store.names import related
from scanner.store.outbox import enqueue
from scanner.store.schema import journal, journal_told
from scanner.store.statements import upserting

_SAID: Final[TypeAdapter[dict[str, Intent | Outcome]]] = TypeAdapter(dict[str, Intent | Outcome])


class SqlJournal:
    """Implements the port Journal under a lease, renewed by `seconds` with each entry."""

    def __init__(self, database: Database, lease: Lease, seconds: float) -> None:
        self._database, self._lease, self._seconds = database, lease, seconds

    def acts(self) -> tuple[Act, ...]:
        """Return every intent with its outcome, oldest first."""
        with self._database.reading() as connection:
            kept = _entries(connection, self._lease.organization)
        _refuse_broken(kept, self._lease.organization)
        return acts_of(kept, self._lease.organization)

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        """Return the actions in the organization's other histories, found by these ids."""
        return acts_elsewhere(self._database, self._lease.organization, ids)

    def begin(
        self, intent: Intent, ids: frozenset[str], objection: Callable[[tuple[Act, ...]], str]
    ) -> str:
        """Record an intent unless `objection` returns a reason; return that reason, or ""."""
        organization = self._lease.organization
        with self._database.writing() as connection:
            serialize(connection)
            self._hold(connection)
            before = _entries(connection, organization)
            _refuse_broken(before, organization)
            others = _acts_elsewhere(connection, organization, ids)
            reason = objection((*others, *acts_of(before, organization)))
            if not reason:
                _append(connection, organization, before, intent)
            return reason

    def end(self, outcome: Outcome) -> None:
        """Record the outcome of an intent."""
        with self._database.writing() as connection:
            self._hold(connection)
            before = _entries(connection, self._lease.organization)
            _append(connection, self._lease.organization, before, outcome)

    def news(self) -> tuple[tuple[Act, ...], int]:
        """Return the actions since the last notification, and the number of the last entry."""
        organization = self._lease.organization
        with self._database.reading() as connection:
            kept = _entries(connection, organization)
            ours = journal_told.c.organization == organization
            told = connection.execute(select(journal_told.c.number).where(ours)).scalar() or 0
        new = {read(entry, organization).receipt for entry in kept if entry.number > told}
        acts = acts_of(kept, organization)
        return tuple(act for act in acts if act.intent.receipt in new), len(kept)

    def tell(self, made_at: datetime, drafts: Iterable[Draft], entry: int) -> None:
        """Add the notifications about all entries up to `entry` to the outbox, once."""
        organization = self._lease.organization
        with self._database.writing() as connection:
            self._hold(connection)
            enqueue(connection, organization, made_at, drafts)
            row = {"organization": organization, "number": entry}
            told = upserting(connection, journal_told).values(row)
            change = {"number": told.excluded.number}
            connection.execute(
                told.on_conflict_do_update(index_elements=["organization"], set_=change)
            )

    def _hold(self, connection: Connection) -> None:
        if not extend(connection, self._lease, self._seconds):
            raise StoreError(
                f"Another run took over {self._lease.organization}: this machine slept, or the"
                " database was unreachable. This run will not revoke any more keys.",
                help="Run keyvigil revoke journal to list the actions that this run started; the"
                " other run determines their outcome.",
            )


def _refuse_broken(kept: Iterable[Entry], organization: str) -> None:
    number = broken_at(kept)
    if number is not None:
        raise StoreError(
            f"The journal of {organization} was changed at entry {number:,}. No keys are revoked.",
            help="Run keyvigil revoke journal verify, and find out who changed the journal.",
        )


def acts_elsewhere(database: Database, organization: str, ids: frozenset[str]) -> tuple[Act, ...]:
    """Return the actions in the other histories of an organization.

    `ids` are those of its projects and keys. A history belongs to the organization if it collected
    one of its projects, or acted on one of `ids`. Raise StoreError for a broken chain.
    """
    with database.reading() as connection:
        return _acts_elsewhere(connection, organization, ids)


def _acts_elsewhere(
    connection: Connection, organization: str, ids: frozenset[str]
) -> tuple[Act, ...]:
    histories = related(connection, organization, ids)
    found: list[Act] = []
    names = select(journal.c.organization).distinct().order_by(journal.c.organization)
    for name in connection.execute(names.where(journal.c.organization != organization)).scalars():
        entries = _entries(connection, name)
        acts = acts_of(entries, name)
        if name in histories or any(is_about(act, ids) for act in acts):
            _refuse_broken(entries, name)
            found.extend(acts)
    return tuple(found)


def is_about(act: Act, ids: frozenset[str]) -> bool:
    """Whether an action was on one of these keys, or on a key in one of these projects."""
    return act.intent.key_id in ids or act.intent.project_id in ids


def journals(database: Database, organization: str | None = None) -> dict[str, tuple[Entry, ...]]:
    """Return one or each organization's journal as stored, without verifying its chain."""
    kept: defaultdict[str, list[Entry]] = defaultdict(list)
    query = select(journal).order_by(journal.c.organization, journal.c.number)
    if organization is not None:
        query = query.where(journal.c.organization == organization)
    with database.reading() as connection:
        for row in connection.execute(query):
            kept[row.organization].append(_entry(row))
    return {organization: tuple(entries) for organization, entries in kept.items()}


def acts_of(kept: Iterable[Entry], organization: str) -> tuple[Act, ...]:
    """Return every intent with its outcome, oldest first; raise StoreError for an invalid entry.

    The first final outcome of an intent counts.
    """
    acts: dict[str, Act] = {}
    for entry in kept:
        body = read(entry, organization)
        if isinstance(body, Intent):
            acts[body.receipt] = Act(body, None)
        elif body.receipt in acts and acts[body.receipt].is_open:
            acts[body.receipt] = Act(acts[body.receipt].intent, body)
    return tuple(acts.values())


def read(entry: Entry, organization: str) -> Intent | Outcome:
    """Return the content of an entry; raise StoreError if it is invalid."""
    try:
        (said,) = _SAID.validate_json(entry.content).values()
    except ValueError:
        raise StoreError(
            f"Entry {entry.number} of the journal of {organization} cannot be read. No keys are"
            " revoked.",
            help="Run keyvigil revoke journal verify to check whether it was changed.",
        ) from None
    return said


def _entries(connection: Connection, organization: str) -> tuple[Entry, ...]:
    query = select(journal).where(journal.c.organization == organization)
    rows = connection.execute(query.order_by(journal.c.number))
    return tuple(_entry(row) for row in rows)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.number, row.before, row.hash, row.content)


def _append(
    connection: Connection, organization: str, before: tuple[Entry, ...], said: Intent | Outcome
) -> None:
    body = _SAID.dump_python({type(said).__name__.lower(): said}, mode="json")
    content = json.dumps(body, sort_keys=True, separators=(",", ":"))
    read(
        Entry(len(before) + 1, "", "", content), organization
    )  # values that could not be re-read are not stored
    last = before[-1].hash if before else FIRST
    row = {
        "organization": organization,
        "number": len(before) + 1,
        "before": last,
        "hash": seal(last, content),
        "content": content,
    }
    connection.execute(insert(journal), row)
