"""Every format by the name that `--output` takes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.ports import Format

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({"html": render_html, "json": render_json})
