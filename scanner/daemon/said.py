"""Parses a line of a scan's stderr for the daemon's log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scanner.daemon.events import Level

_OWN: Final = ("ts", "level", "event", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message, its level, and the other fields of the line."""

    text: str
    level: Level = Level.INFO
    fields: Mapping[str, Any] = field(default_factory=dict)


def parse_said(line: str) -> Said:
    """Parse a line in `--log-format json`; any other line is a message at level info."""
    try:
        read = json.loads(line)
        text, level = str(read["event"]), Level(read["level"])
    except (ValueError, KeyError, TypeError):
        return Said(text=line)
    fields = {name: value for name, value in read.items() if name not in _OWN}
    return Said(text=text, level=level, fields=fields)
