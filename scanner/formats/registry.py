"""All formats by their name in `--output`; each is loaded on first use."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanner.formats.overview_rows import Overview
    from scanner.ports import Format
    from scanner.result import ScanResult

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
"""Module and function of each format, in this package."""
OVERVIEW_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "html": "overview_html.render_overview_html",
        "json": "overview_json.render_overview_json",
    }
)
"""The same for reports of many organizations, by their name in `--combined`."""

_SPREADSHEETS: Final = frozenset({"csv"})
"""Excel reads a file as UTF-8 only if it begins with a byte-order mark; other programs do not."""


def document_of(name: str, result: "ScanResult", *, to_file: bool) -> bytes:
    """Render in the format of that name; a file for spreadsheets begins with a byte-order mark."""
    is_marked = to_file and name in _SPREADSHEETS
    return format_of(name)(result).encode("utf-8-sig" if is_marked else "utf-8")


def format_of(name: str) -> "Format":
    """Return the format of that name."""
    found: Format = _found(FORMATS[name])
    return found


def overview_format_of(name: str) -> "Callable[[Overview], str]":
    """Return the format of that name for many organizations."""
    found: Callable[[Overview], str] = _found(OVERVIEW_FORMATS[name])
    return found


def _found(place: str) -> Any:  # noqa: ANN401 - any function
    module, _, function = place.partition(".")
    return getattr(import_module(f"scanner.formats.{module}"), function)
