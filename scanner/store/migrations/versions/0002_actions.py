"""Planned actions, performed actions, and their notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(*names: str) -> "tuple[sa.Column[object], ...]":
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "plans",
        *_text("plan_id", "scan_id", "organization"),
        _moment("made_at"),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index("plans_by_night", "plans", ["organization", "made_at"])
    op.create_table(
        "receipts",
        *_text("receipt_id"),
        sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.plan_id"), nullable=False),
        *_text("organization", "key_id", "method", "state"),
        _moment("at"),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
    )
    op.create_index("receipts_by_key", "receipts", ["organization", "key_id"])
    op.create_table(
        "deliveries",
        *_text("delivery_id", "scan_id", "organization", "sink", "route", "state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        _moment("made_at"),
        _moment("delivered_at", nullable=True),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("receipt", sa.JSON, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    op.create_index("deliveries_by_state", "deliveries", ["organization", "state"])
