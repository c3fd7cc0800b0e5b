"""The journal of revocations, and the announced revocations of keys.

The tables that the journal replaces were never written; earlier announcements did not
announce revocations.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables: the journal, and the last entry that was reported."""
    op.drop_table("receipts")
    op.drop_table("plans")
    op.create_table(
        "journal",
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("organization", "number"),
    )
    op.create_table(
        "journal_told",
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("organization"),
    )
    last_told_at = sa.Column("last_told_at", sa.DateTime(timezone=True), nullable=True)
    op.add_column("announcements", last_told_at)
    op.add_column("announcements", sa.Column("promise", sa.JSON, nullable=True))
