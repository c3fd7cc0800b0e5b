"""The formats of messages on stderr."""

from enum import StrEnum
from typing import Final

LOG_FORMAT: Final = "KEYVIGIL_LOG_FORMAT"


class LogFormat(StrEnum):
    """The format of messages on stderr: plain text, or JSON lines."""

    CONSOLE = "console"
    JSON = "json"
