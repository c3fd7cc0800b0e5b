"""Every format by the name that `--output` takes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from scanner.formats.csv_report import render_csv
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.jsonl_report import render_jsonl
from scanner.formats.junit_report import render_junit
from scanner.formats.markdown_report import render_markdown
from scanner.formats.ocsf_report import render_ocsf
from scanner.formats.sarif_report import render_sarif
from scanner.formats.text_report import render_text
from scanner.ports import Format

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "html": render_html,
        "json": render_json,
        "jsonl": render_jsonl,
        "csv": render_csv,
        "markdown": render_markdown,
        "text": render_text,
        "sarif": render_sarif,
        "junit": render_junit,
        "ocsf": render_ocsf,
    }
)
