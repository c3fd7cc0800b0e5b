"""The policies of each scan, and its history as it was reported.

Earlier scans have neither: their reports are rendered with the current policies.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table and the columns."""
    op.create_table(
        "policies",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    not_evaluated = sa.Column("not_evaluated", sa.Integer, nullable=False, server_default="0")
    op.add_column("scans", not_evaluated)
    op.add_column("scans", sa.Column("rules", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("scans", sa.Column("sources", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("cases", sa.Column("grading", sa.Text, nullable=False, server_default=""))
    op.add_column("snapshots", sa.Column("history", sa.LargeBinary, nullable=True))
