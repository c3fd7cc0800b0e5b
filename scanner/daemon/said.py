"""A line that a scan says on stderr, as the daemon's log passes it on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scanner.daemon.events import Level

_OWN: Final = ("ts", "level", "event", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message, how much it matters, and what else the line held."""

    text: str
    level: Level = Level.INFO
    fields: Mapping[str, Any] = field(default_factory=dict)


def parse_said(line: str) -> Said:
    """Read a line as `--log-format json` writes it; what is none is a message as it stands."""
    try:
        read = json.loads(line)
        text, level = str(read["event"]), Level(read["level"])
    except (ValueError, KeyError, TypeError):
        return Said(text=line)
    fields = {name: value for name, value in read.items() if name not in _OWN}
    return Said(text=text, level=level, fields=fields)
