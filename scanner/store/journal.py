"""The port Journal on a database: a chain of entries for each organization, only ever added to."""

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
    """Implements the port Journal under a lease, which it renews by `seconds` with each entry."""

    def __init__(self, database: Database, lease: Lease, seconds: float) -> None:
        self._database, self._lease, self._seconds = database, lease, seconds

    def acts(self) -> tuple[Act, ...]:
        """Return every intent, oldest first, with how it ended."""
        with self._database.reading() as connection:
            kept = _entries(connection, self._lease.organization)
        _refuse_broken(kept, self._lease.organization)
        return acts_of(kept, self._lease.organization)

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        """Return the actions of the organization's other histories, recognised by these ids."""
        return acts_elsewhere(self._database, self._lease.organization, ids)

    def begin(
        self, intent: Intent, ids: frozenset[str], objection: Callable[[tuple[Act, ...]], str]
    ) -> str:
        """Keep an intent, unless `objection` returns why not; return the same."""
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
        """Keep how an intent ended."""
        with self._database.writing() as connection:
            self._hold(connection)
            before = _entries(connection, self._lease.organization)
            _append(connection, self._lease.organization, before, outcome)

    def news(self) -> tuple[tuple[Act, ...], int]:
        """Return what happened since people were last told, and the number of the last entry."""
        organization = self._lease.organization
        with self._database.reading() as connection:
            kept = _entries(connection, organization)
            ours = journal_told.c.organization == organization
            told = connection.execute(select(journal_told.c.number).where(ours)).scalar() or 0
        new = {read(entry, organization).receipt for entry in kept if entry.number > told}
        acts = acts_of(kept, organization)
        return tuple(act for act in acts if act.intent.receipt in new), len(kept)

    def tell(self, made_at: datetime, drafts: Iterable[Draft], entry: int) -> None:
        """Put what is to be told of all up to that entry into the outbox, once."""
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
                f"Another run took over {self._lease.organization}, as this machine slept or the"
                " database was away, so that this one revokes no more.",
                help="What it had begun is in the journal: the other run looks at it.",
            )


def _refuse_broken(kept: Iterable[Entry], organization: str) -> None:
    number = broken_at(kept)
    if number is not None:
        raise StoreError(
            f"The journal of {organization} was changed at entry {number:,}: nothing is revoked.",
            help="keyvigil revoke journal verify tells the same. Find out who changed it.",
        )


def acts_elsewhere(database: Database, organization: str, ids: frozenset[str]) -> tuple[Act, ...]:
    """Return the actions of the other histories of an organization.

    `ids` are those of its projects and keys. A history is the organization's if it collected one of
    its projects, or acted on one of these. Raise StoreError if one of their chains is broken.
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
    """Whether an action was on one of these keys, or on a key of one of these projects."""
    return act.intent.key_id in ids or act.intent.project_id in ids


def journals(database: Database, organization: str | None = None) -> dict[str, tuple[Entry, ...]]:
    """Return each organization's journal, or one, as it is kept, whether its chain holds or not."""
    kept: defaultdict[str, list[Entry]] = defaultdict(list)
    query = select(journal).order_by(journal.c.organization, journal.c.number)
    if organization is not None:
        query = query.where(journal.c.organization == organization)
    with database.reading() as connection:
        for row in connection.execute(query):
            kept[row.organization].append(_entry(row))
    return {organization: tuple(entries) for organization, entries in kept.items()}


def acts_of(kept: Iterable[Entry], organization: str) -> tuple[Act, ...]:
    """Return every intent, oldest first, with how it ended; raise StoreError for what is no entry.

    What was noted first about how an intent ended for good counts.
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
    """Return the content of an entry; raise StoreError if it is not known."""
    try:
        (said,) = _SAID.validate_json(entry.content).values()
    except ValueError:
        raise StoreError(
            f"Entry {entry.number} of the journal of {organization} cannot be read: nothing is"
            " revoked.",
            help="keyvigil revoke journal verify tells whether it was changed.",
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
    )  # what could not be read again is not kept
    last = before[-1].hash if before else FIRST
    row = {
        "organization": organization,
        "number": len(before) + 1,
        "before": last,
        "hash": seal(last, content),
        "content": content,
    }
    connection.execute(insert(journal), row)
