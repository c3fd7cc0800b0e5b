"""stdout is data, stderr is messages; untrusted text is printed inert.

Messages are plain text, or JSON lines if `err.is_log`.
"""

import os
import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import IO, Any, Final

from rich.console import Console
from rich.text import Text

from scanner.cli.log_lines import fields_of_error, log_line
from scanner.daemon.events import Level
from scanner.display import visible
from scanner.errors import (
    AlertError,
    ApiError,
    KeyVigilError,
    PolicyError,
    RevocationError,
    StoreLocked,
    UsageError,
)
from scanner.secret import redact

_PIPE_WIDTH: Final = 120


class ExitCode(IntEnum):
    """The exit codes; the most serious problem wins: 2 > 3 > 5 > 4 > 1."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    NOT_ALERTED = 4
    NOT_REVOKED = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_LARGEST_LAST: Final = (
    ExitCode.DONE,
    ExitCode.FINDINGS,
    ExitCode.NOT_ALERTED,
    ExitCode.NOT_REVOKED,
    ExitCode.INCOMPLETE,
    ExitCode.USAGE,
)


class _Console(Console):
    is_log = False
    is_terse = False
    """Whether only errors and warnings are printed."""
    outlives_reader = False
    """Whether the command continues after the reader has closed the pipe."""
    is_unread = False

    def on_broken_pipe(self) -> None:
        """Stop printing; exit like other programs, unless the command continues."""
        self.quiet = True
        self.reader_left()

    def reader_left(self) -> None:
        """Discard all further output; raise SystemExit unless the command continues."""
        self.is_unread = True
        close_quietly(sys.stderr if self.stderr else sys.stdout)
        if not self.outlives_reader:
            raise SystemExit(ExitCode.PIPE_CLOSED)


def has_person() -> bool:
    """Return whether stdin is a terminal, where a user can confirm."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirmed(question: str) -> bool:
    """Return whether the user confirms with y or yes.

    Not Typer's prompt, which prints a blank on stdout.
    """
    err.print(inert(f"{question} [y/N] "), end="", soft_wrap=True)
    return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")


def close_quietly(stream: IO[str] | None) -> None:
    """Redirect a stream to the null device, so that its last flush cannot fail."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_document(document: bytes) -> None:
    """Write the bytes of a document to stdout; raise OSError if that fails."""
    try:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        out.reader_left()


def _console(*, stderr: bool) -> _Console:
    console = _Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


out: Final = _console(stderr=False)
err: Final = _console(stderr=True)


def inert(text: str, style: str = "") -> Text:
    """Return text with control characters made visible and secrets masked."""
    return Text(visible(redact(text)), style=style)


def counted(number: int, noun: str) -> str:
    """Format a count: `1 key`, `1,200 keys`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tell(console: Console, text: Text) -> None:
    """Print a sentence: wrapped at words on a terminal, else on one line."""
    console.print(text, soft_wrap=not console.is_terminal)


def say(message: str, style: str = "", level: Level = Level.INFO) -> None:
    """Print one message on stderr."""
    if err.is_log:
        log(message, level)
    elif level is not Level.INFO or not err.is_terse:
        tell(err, inert(message, style))


def log(event: str, level: Level = Level.INFO, **fields: Any) -> None:  # noqa: ANN401 - JSON
    """Print a JSON line if `err.is_log`."""
    if err.is_log:
        err.print(Text(log_line(level, event, fields)), soft_wrap=True)


def show_error(error: KeyVigilError) -> ExitCode:
    """Print an error with its location and help; return its exit code."""
    message = str(error)
    if isinstance(error, PolicyError):
        mistakes = counted(len(error.problems), "mistake")
        message = f"{mistakes} in the {error.what}; the command was not run."
    if err.is_log:
        level = Level.WARNING if isinstance(error, StoreLocked) else Level.ERROR
        log(message, level, **fields_of_error(error))
    else:
        _print_error(error, message)
    return code_of(error)


def code_of(error: Exception) -> ExitCode:
    """Return the exit code of an error."""
    match error:
        case UsageError():
            return ExitCode.USAGE
        case AlertError():
            return ExitCode.NOT_ALERTED
        case RevocationError():
            return ExitCode.NOT_REVOKED
        case _:
            return ExitCode.INCOMPLETE


def _print_error(error: KeyVigilError, message: str) -> None:
    if isinstance(error, PolicyError):
        for problem in error.problems:
            say(str(problem), level=Level.ERROR)
    tell(err, Text.assemble(("error: ", "bold red"), inert(message)))
    if error.help:
        tell(err, Text.assemble(("help: ", "bold"), inert(error.help)))
    if isinstance(error, ApiError) and error.request_id:
        tell(err, Text.assemble(("request id: ", "bold"), inert(error.request_id)))


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code of the most serious problem."""
    return max(codes, key=_LARGEST_LAST.index, default=ExitCode.DONE)
