"""The names of histories, and the projects that identify a history under a new name."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, select

from scanner.identity import Identified, KnownHistory, NameSource
from scanner.store.database import Database
from scanner.store.schema import history_names, history_projects, scans
from scanner.store.statements import in_parts, upserting

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class SqlNames:
    """Finds histories by names and projects. Every method raises StoreError if it fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def history_of(self, name: str) -> str:
        """Return the organization under which the rows of the history `name` are stored."""
        with self._database.reading() as connection:
            return history_of(connection, name) or name

    def called(self, name: str) -> KnownHistory | None:
        """Return the history with that name, None if not found."""
        with self._database.reading() as connection:
            organization = history_of(connection, name)
            return known(connection, organization) if organization else None

    def sharing(self, project_ids: Iterable[str]) -> tuple[KnownHistory, ...]:
        """Return the histories that collected any of these projects."""
        with self._database.reading() as connection:
            return sharing(connection, project_ids)

    def shown_name(self, organization: str) -> str:
        """Return the name of the history whose rows are stored under `organization`."""
        with self._database.reading() as connection:
            return known(connection, organization).name

    def has_any(self) -> bool:
        """Return whether any scan was ever recorded."""
        query = select(history_names.c.name).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).scalar() is not None


def histories_called(name: str) -> Select[Any]:
    """Select the organization under which the rows of the history `name` are stored."""
    return select(history_names.c.organization).where(history_names.c.name == name)


def history_of(connection: Connection, name: str) -> str | None:
    """Return the organization under which the history's rows are stored, None if not found."""
    found: str | None = connection.execute(histories_called(name)).scalar()
    return found


def sharing(connection: Connection, project_ids: Iterable[str]) -> tuple[KnownHistory, ...]:
    """Return the histories that have any of these projects, sorted by name."""
    return tuple(known(connection, one) for one in sorted(_collected(connection, project_ids)))


def _collected(connection: Connection, project_ids: Iterable[str]) -> set[str]:
    """Return the organizations of the histories that collected any of these projects."""
    found: set[str] = set()
    for some in in_parts(sorted(set(project_ids))):
        query = select(history_projects.c.organization).distinct()
        query = query.where(history_projects.c.project_id.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def related(connection: Connection, organization: str, ids: Iterable[str]) -> frozenset[str]:
    """Return the other histories of an organization, found by shared projects.

    `ids` are some of its projects. Projects of a related history can lead to further histories.
    """
    found, projects = {organization}, set(ids)
    new = {organization}
    while new:
        ours = select(history_projects.c.project_id)
        for some in in_parts(sorted(new)):
            rows = connection.execute(ours.where(history_projects.c.organization.in_(some)))
            projects.update(rows.scalars())
        new = _collected(connection, projects) - found
        found |= new
    return frozenset(found - {organization})


def known(connection: Connection, organization: str) -> KnownHistory:
    """Return the names of a history, its last scan, and whether its projects are recorded."""
    names = select(history_names).where(history_names.c.organization == organization)
    ranks = tuple(NameSource)
    rows = sorted(
        connection.execute(names), key=lambda row: (ranks.index(row.source), row.since, row.name)
    )
    projects = select(history_projects.c.project_id)
    projects = projects.where(history_projects.c.organization == organization).limit(1)
    last = select(func.max(scans.c.started_at)).where(scans.c.organization == organization)
    return KnownHistory(
        organization=organization,
        names=tuple((row.name, NameSource(row.source)) for row in rows),
        has_projects=connection.execute(projects).scalar() is not None,
        last_scan=connection.execute(last).scalar() or _NEVER,
    )


def keep_identity(
    connection: Connection, organization: str, identified: Identified | None, at: datetime
) -> None:
    """Record the name and projects of a scan, in the transaction that records the scan."""
    names = {organization: NameSource.DEFAULT}
    if identified is not None:
        names = {identified.identity.name: identified.identity.source}
    for name, source in names.items():
        row = {"name": name, "organization": organization, "source": source.value, "since": at}
        new = upserting(connection, history_names).values(row).on_conflict_do_nothing()
        connection.execute(new)
    ours = history_projects.c.organization == organization
    before = connection.execute(select(history_projects.c.project_id).where(ours)).scalars()
    ids = identified.project_ids if identified else ()
    rows = [
        {"project_id": project_id, "organization": organization}
        for project_id in sorted(set(ids).difference(before))
    ]
    if rows:
        connection.execute(insert(history_projects), rows)
