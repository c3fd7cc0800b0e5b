"""Scans, finding records and their events, snapshots, and the lock."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(*names: str, nullable: bool = False) -> "tuple[sa.Column[object], ...]":
    return tuple(sa.Column(name, sa.Text, nullable=nullable) for name in names)


def _counts(*names: str) -> "tuple[sa.Column[object], ...]":
    return tuple(sa.Column(name, sa.Integer, nullable=False) for name in names)


def upgrade() -> None:
    """Create the tables."""
    _make_scans()
    _make_cases()
    op.create_table(
        "events",
        *_text("scan_id", "fingerprint", "organization"),
        _moment("at"),
        *_text("state", "severity"),
        *_text("resolution", nullable=True),
        sa.PrimaryKeyConstraint("scan_id", "fingerprint"),
    )
    op.create_index("events_by_case", "events", ["organization", "fingerprint"])
    op.create_index("events_by_night", "events", ["organization", "at"])
    op.create_table(
        "snapshots",
        sa.Column("scan_id", sa.Text, sa.ForeignKey("scans.scan_id"), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "locks",
        *_text("organization", "holder"),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("acquired_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("organization"),
    )


def _make_scans() -> None:
    op.create_table(
        "scans",
        *_text("scan_id", "organization"),
        _moment("started_at"),
        _moment("finished_at"),
        sa.Column("policies", sa.JSON, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        *_counts("projects", "keys"),
        sa.Column("by_severity", sa.JSON, nullable=False),
        *_counts("excepted", "undetermined", "opened", "resolved", "unverified", "remedied"),
        sa.Column("remedy_seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("scan_id"),
    )
    op.create_index("scans_by_night", "scans", ["organization", "started_at"])


def _make_cases() -> None:
    op.create_table(
        "cases",
        *_text("organization", "fingerprint", "rule", "policy", "title", "severity", "definition"),
        sa.Column("facts", sa.JSON, nullable=False),
        *_text("key_id"),
        *_text("key_name", nullable=True),
        *_text("redacted_value"),
        *_text("project_id", "project_name", nullable=True),
        *_text("owner_id", "owner_name", "owner_email", nullable=True),
        _moment("first_seen"),
        _moment("opened_at"),
        _moment("last_seen"),
        *_counts("openings"),
        _moment("resolved_at", nullable=True),
        *_text("resolution", nullable=True),
        sa.PrimaryKeyConstraint("organization", "fingerprint"),
    )
    op.create_index("cases_open", "cases", ["organization", "resolved_at"])
