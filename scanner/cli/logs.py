"""Events on stderr, one a line: `key=value` for people and grep, or JSON for programs."""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from scanner.cli.log_format import LogFormat
from scanner.cli.log_lines import log_line
from scanner.daemon.events import Level
from scanner.display import visible
from scanner.secret import redact
from scanner.wiring import now

_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")
_SCHEDULER: Final = "apscheduler."
"""Its warnings about missed and skipped runs are logged as events of KeyVigil instead."""


class StreamLog:
    """Implements Log on a stream; untrusted text is inert, and secrets are masked."""

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
        """Write one line; a closed stream is ignored."""
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        if self._format is LogFormat.JSON:
            line = log_line(level, event, {name: _plain(value) for name, value in known.items()})
        else:
            line = _text(self._clock(), level, event, known)
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()


class FromLibraries(logging.Handler):
    """Forwards log records of libraries to the log, from warnings upwards."""

    def __init__(self, log: StreamLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as an event `library`, except for the scheduler's warnings."""
        if record.name.startswith(_SCHEDULER) and record.levelno == logging.WARNING:
            return
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        error = record.exc_info[1] if record.exc_info else None
        told = f"{record.getMessage()}: {error}" if error else record.getMessage()
        self._log(level, "library", name=record.name, text=told)


def _text(at: datetime, level: Level, event: str, fields: Mapping[str, object]) -> str:
    words = (f"{name}={_quoted(_shown(value))}" for name, value in fields.items())
    return " ".join((_plain(at), f"{level.value:<7}", event, *words))


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON can hold it; times in the format of the log."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    is_json = value is None or isinstance(value, bool | int | float | list | dict)
    return value if is_json else str(value)


def _shown(value: object) -> str:
    plain = _plain(value)
    text = json.dumps(plain) if isinstance(plain, list | dict) else str(plain)
    return visible(redact(text)).encode(errors="backslashreplace").decode()


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
