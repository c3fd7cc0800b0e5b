"""The tables. A test checks that the migrations create the same schema."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

metadata: Final = MetaData()


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; time-zone aware in Python even if the database does not store zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - required by the base class
        """Store the moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - required by the base class
        """Read the moment as UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Words(TypeDecorator[str]):
    """Untrusted text: NUL characters, which PostgreSQL refuses, must not fail a scan."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replace each NUL with a replacement character."""
        return value.replace("\0", "\ufffd") if value else value


class Count(TypeDecorator[int]):
    """A whole number; validated because SQLite stores any value in any column."""

    impl = Integer
    cache_ok = True

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Raise TypeError for any other value."""
        if value is not None and not isinstance(value, int):
            raise TypeError("not a whole number")
        return value


def _text(name: str, *, null: bool = False, key: bool = False) -> Column[Any]:
    return Column(name, Words, nullable=null, primary_key=key)


def _count(name: str) -> Column[Any]:
    return Column(name, Count, nullable=False)


def _moment(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Moment, nullable=null)


scans = Table(
    "scans",
    metadata,
    _text("scan_id", key=True),
    _text("organization"),
    _moment("started_at"),
    _moment("finished_at"),
    Column("policies", JSON, nullable=False),
    Column("complete", Boolean, nullable=False),
    _count("projects"),
    _count("keys"),
    Column("by_severity", JSON, nullable=False),
    _count("excepted"),
    _count("undetermined"),
    _count("opened"),
    _count("resolved"),
    _count("unverified"),
    _count("remedied"),
    Column("remedy_seconds", Float(53), nullable=False),
    _count("not_evaluated"),
    Column("rules", JSON(none_as_null=True), nullable=True),
    Column("sources", JSON(none_as_null=True), nullable=True),
    Index("scans_by_night", "organization", "started_at"),
)

cases = Table(
    "cases",
    metadata,
    _text("organization", key=True),
    _text("fingerprint", key=True),
    _text("rule"),
    _text("policy"),
    _text("title"),
    _text("severity"),
    _text("definition"),
    Column("facts", JSON, nullable=False),
    _text("key_id"),
    _text("key_name", null=True),
    _text("redacted_value"),
    _text("project_id", null=True),
    _text("project_name", null=True),
    _text("owner_id", null=True),
    _text("owner_name", null=True),
    _text("owner_email", null=True),
    _moment("first_seen"),
    _moment("opened_at"),
    _moment("last_seen"),
    _count("openings"),
    _moment("resolved_at", null=True),
    _text("resolution", null=True),
    _text("grading"),
    Index("cases_open", "organization", "resolved_at"),
)

events = Table(
    "events",
    metadata,
    _text("scan_id", key=True),
    _text("fingerprint", key=True),
    _text("organization"),
    _moment("at"),
    _text("state"),
    _text("severity"),
    _text("resolution", null=True),
    Index("events_by_case", "organization", "fingerprint"),
    Index("events_by_night", "organization", "at"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("scan_id", Text, ForeignKey("scans.scan_id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("history", LargeBinary, nullable=True),
)
"""The inventory of a scan, and its history as it was reported."""

policies = Table(
    "policies",
    metadata,
    _text("digest", key=True),
    _text("text"),
    _moment("first_seen"),
)
"""The texts of the policies of scans. `scans.sources` refers to them."""

locks = Table(
    "locks",
    metadata,
    _text("organization", key=True),
    _text("holder"),
    Column("token", BigInteger, nullable=False),
    Column("acquired_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    Column("lease_seconds", Float(53), nullable=False, server_default="0"),
)
"""Times are by the database's clock, in Unix seconds: the clocks of machines differ."""

journal = Table(
    "journal",
    metadata,
    _text("organization", key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("before"),
    _text("hash"),
    _text("content"),
)
"""Actions on keys: one append-only chain of entries for each organization."""

journal_told = Table(
    "journal_told",
    metadata,
    _text("organization", key=True),
    _count("number"),
)
"""The last entry of each journal that was reported to people."""

deliveries = Table(
    "deliveries",
    metadata,
    _text("delivery_id", key=True),
    _text("scan_id"),
    _text("organization"),
    _text("sink"),
    _text("route"),
    _text("target"),
    _text("state"),
    _count("attempts"),
    _moment("made_at"),
    _moment("delivered_at", null=True),
    Column("content", JSON, nullable=False),
    Column("receipt", JSON, nullable=True),
    Index("deliveries_by_state", "organization", "state"),
    Index("deliveries_by_place", "organization", "route", "target"),
)

announcements = Table(
    "announcements",
    metadata,
    _text("organization", key=True),
    _text("fingerprint", key=True),
    _moment("announced_at"),
    _moment("last_told_at", null=True),
    Column("promise", JSON, nullable=True),
)
"""The first notice of each key's revocation since its finding was last new or reopened."""

history_names = Table(
    "history_names",
    metadata,
    _text("name", key=True),
    _text("organization"),
    _text("source"),
    _moment("since"),
    Index("history_names_by_history", "organization"),
)
"""Each name refers to one history; its rows are stored under `organization`."""

history_projects = Table(
    "history_projects",
    metadata,
    _text("project_id", key=True),
    _text("organization", key=True),
    Index("history_projects_by_history", "organization"),
)
"""The projects collected by any scan of a history: they identify the history."""
