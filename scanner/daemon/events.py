"""The log events of the daemon."""

from enum import StrEnum
from typing import Protocol


class Level(StrEnum):
    """The severity of an event."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Protocol):
    """Writes events; may be called from any thread, and never raises."""

    def __call__(self, level: Level, event: str, **fields: object) -> None:
        """Write an event and its fields; fields that are None or "" are omitted."""
        ...
