"""The report of many organizations as JSON."""

from typing import Any

from scanner.formats.json_report import in_ascii, schema_of
from scanner.formats.overview_rows import Overview


def render_overview_json(overview: Overview) -> str:
    """Render the report in plain ASCII, like the report of one organization."""
    return in_ascii(overview)


def overview_schema() -> dict[str, Any]:
    """Return the format's JSON Schema, stored as docs/overview.schema.json."""
    return schema_of(Overview)
