"""Every format by the name that `--output` takes; one is loaded when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scanner.ports import Format

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "html": "html_report.render_html",
        "json": "json_report.render_json",
        "jsonl": "jsonl_report.render_jsonl",
        "csv": "csv_report.render_csv",
        "markdown": "markdown_report.render_markdown",
        "text": "text_report.render_text",
        "sarif": "sarif_report.render_sarif",
        "junit": "junit_report.render_junit",
        "ocsf": "ocsf_report.render_ocsf",
    }
)
"""Where each stands, beside this file."""


def format_of(name: str) -> "Format":
    """Return the format of that name."""
    module, _, function = FORMATS[name].partition(".")
    found: Format = getattr(import_module(f"scanner.formats.{module}"), function)
    return found
