"""The names of histories and their projects, which identify an organization.

Existing histories get both: their projects are those of the latest kept snapshot and of their
findings. The source of a name was not recorded: it is `api` if the snapshot has the same name,
`default` if it stands for an admin key, and else `chosen`.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MOMENT = sa.DateTime(timezone=True)
_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
"""The date of existing names, which was not recorded: before that of any later name."""
_OF_A_KEY = re.compile(r"key-[0-9a-f]{8}")


def upgrade() -> None:
    """Create the tables and fill them."""
    names = op.create_table(
        "history_names",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("history_names_by_history", "history_names", ["organization"])
    projects = op.create_table(
        "history_projects",
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("organization", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "organization"),
    )
    op.create_index("history_projects_by_history", "history_projects", ["organization"])
    connection = op.get_bind()
    recorded = "SELECT organization FROM scans UNION SELECT organization FROM journal"
    for organization in sorted(connection.execute(sa.text(recorded)).scalars()):
        inventory = _latest_inventory(connection, organization)
        name = {"name": organization, "organization": organization, "since": _BEFORE}
        source = _source(organization, inventory)
        connection.execute(sa.insert(names).values(**name, source=source))
        found = {*_ids(inventory), *_of_findings(connection, organization)}
        rows = [{"project_id": one, "organization": organization} for one in sorted(found)]
        if rows:
            connection.execute(sa.insert(projects), rows)


def _source(organization: str, inventory: dict[str, Any]) -> str:
    if _OF_A_KEY.fullmatch(organization):
        return "default"
    return "api" if inventory.get("organization") == organization else "chosen"


def _latest_inventory(connection: sa.Connection, organization: str) -> dict[str, Any]:
    """Return the inventory in the latest kept snapshot; {} if it cannot be read."""
    query = sa.text(
        "SELECT snapshots.content FROM snapshots JOIN scans ON scans.scan_id = snapshots.scan_id"
        " WHERE scans.organization = :organization ORDER BY scans.started_at DESC LIMIT 1"
    )
    content = connection.execute(query, {"organization": organization}).scalar()
    try:
        inventory = json.loads(gzip.decompress(content or b""))["inventory"]
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
        return {}
    return inventory if isinstance(inventory, dict) else {}


def _ids(inventory: dict[str, Any]) -> Iterator[str]:
    projects = inventory.get("projects")
    for project in projects if isinstance(projects, list) else ():
        if isinstance(project, dict) and isinstance(project.get("id"), str):
            yield project["id"]


def _of_findings(connection: sa.Connection, organization: str) -> Iterator[str]:
    query = sa.text(
        "SELECT DISTINCT project_id FROM cases"
        " WHERE organization = :organization AND project_id IS NOT NULL"
    )
    yield from connection.execute(query, {"organization": organization}).scalars()
