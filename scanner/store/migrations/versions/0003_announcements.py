"""The notification date of each finding, and the target of each delivery within its route."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table and the column."""
    op.create_table(
        "announcements",
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization", "fingerprint"),
    )
    target = sa.Column("target", sa.Text, nullable=False, server_default="")
    op.add_column("deliveries", target)  # no rows were written before
    op.create_index("deliveries_by_place", "deliveries", ["organization", "route", "target"])
