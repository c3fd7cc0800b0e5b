"""How messages are written on stderr."""

from enum import StrEnum
from typing import Final

LOG_FORMAT: Final = "KEYVIGIL_LOG_FORMAT"


class LogFormat(StrEnum):
    """How messages are written on stderr: for people, or for machines."""

    CONSOLE = "console"
    JSON = "json"
