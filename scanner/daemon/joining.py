"""Joins the metrics files of scans into one page for Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_BYTES: Final = 4_000_000
_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL: Final = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE: Final = re.compile(
    rf"(?P<name>{_NAME})(?:\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\}})?"
    r" +(?:[-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|Inf)|NaN)(?: +-?[0-9]+)?"
)
_COMMENT: Final = re.compile(rf"# (?:HELP|TYPE) (?P<name>{_NAME})(?: .*)?|#.*|")
_MEMBER: Final = re.compile(r"_(?:sum|count|bucket|total)$")


def read_textfile(path: Path) -> str | None:
    """Return the metrics in a scan's file, "" if it does not exist yet, None if it is invalid.

    Prometheus would reject the whole page for one invalid line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
        text = content.decode() if len(content) <= _BYTES else None
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.split("\n") if text is not None else [" "]
    return text if all(_SAMPLE.fullmatch(one) or _COMMENT.fullmatch(one) for one in lines) else None


def joined(texts: Sequence[str], without: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of several texts, grouped by metric, except names starting with `without`."""
    families: dict[str, dict[str, None]] = {}
    for text in texts:
        family = ""
        for line in text.split("\n"):
            match = _SAMPLE.fullmatch(line) or _COMMENT.fullmatch(line)
            name = match["name"] if match else None
            if not name or name.startswith(without):
                continue
            if line.startswith("#") or _MEMBER.sub("", name) != _MEMBER.sub("", family):
                family = name
            families.setdefault(family, {})[line] = None
    for lines in families.values():
        yield from sorted(lines, key=lambda line: not line.startswith("#"))
