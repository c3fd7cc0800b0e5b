"""What the daemon tells of itself, one event at a time."""

from enum import StrEnum
from typing import Protocol


class Level(StrEnum):
    """How much an event needs a look."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Protocol):
    """Writes events down; may be called from any thread, and never raises."""

    def __call__(self, level: Level, event: str, **fields: object) -> None:
        """Write an event and what belongs to it; a field that is None or "" is left out."""
        ...
