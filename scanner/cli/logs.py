"""Events on stderr, one on a line: `key=value` for people and grep, or JSON for programs."""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, TextIO

import typer

from scanner.daemon.events import Level
from scanner.display import visible
from scanner.secret import redact
from scanner.wiring import now

_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")


class LogFormat(StrEnum):
    """How an event is written."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        envvar="KEYVIGIL_LOG_FORMAT", help="How events are written on stderr: a line for each."
    ),
]


class StreamLog:
    """Implements Log on a stream; what strangers wrote is inert, and secrets are masked."""

    def __init__(
        self,
        log_format: LogFormat,
        stream: TextIO | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._format = log_format
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._lock = threading.Lock()

    def __call__(self, level: Level, event: str, **fields: object) -> None:
        """Write one line; a log that nobody reads any more ends nothing."""
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        at = f"{self._clock().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        line = _json(at, level, event, known) if self._format is LogFormat.JSON else None
        line = line or _text(at, level, event, known)
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()


class FromLibraries(logging.Handler):
    """Takes what libraries log, from warnings upwards, into ours."""

    def __init__(self, log: StreamLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as an event of its library."""
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        error = record.exc_info[1] if record.exc_info else None
        told = f"{record.getMessage()}: {error}" if error else record.getMessage()
        self._log(level, "library", name=record.name, text=told)


def _text(at: str, level: Level, event: str, fields: Mapping[str, object]) -> str:
    words = (f"{name}={_quoted(_shown(value))}" for name, value in fields.items())
    return " ".join((at, f"{level.value:<7}", event, *words))


def _json(at: str, level: Level, event: str, fields: Mapping[str, object]) -> str:
    plain = {
        name: value if isinstance(value, bool | int | float) else _shown(value)
        for name, value in fields.items()
    }
    return json.dumps({"time": at, "level": level.value, "event": event, **plain})


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return visible(redact(str(value))).encode(errors="backslashreplace").decode()


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
