"""The journal of revocations; the tables that it takes the place of were never written."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table, and how far it was told of."""
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
