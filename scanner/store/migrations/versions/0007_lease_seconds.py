"""The length of each lock's lease, which identifies locks that end too late.

Existing locks get the time from their acquisition to their end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column, and fill it."""
    length = sa.Column("lease_seconds", sa.Float(53), nullable=False, server_default="0")
    op.add_column("locks", length)
    op.execute("UPDATE locks SET lease_seconds = expires_at - acquired_at")
