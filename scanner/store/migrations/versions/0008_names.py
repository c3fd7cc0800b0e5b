"""The current names of states and resolutions.

Packed histories and deliveries are not rewritten: their old names are read as the new ones.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Rename states and resolutions in the rows."""
    for table, column, before, now in (
        ("cases", "resolution", "owner_back", "owner_restored"),
        ("cases", "resolution", "mended", "fixed"),
        ("events", "resolution", "owner_back", "owner_restored"),
        ("events", "resolution", "mended", "fixed"),
        ("events", "state", "lowered", "deescalated"),
        ("events", "state", "persisting", "unchanged"),
    ):
        op.execute(f"UPDATE {table} SET {column} = '{now}' WHERE {column} = '{before}'")  # noqa: S608 - constants
