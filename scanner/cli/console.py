"""stdout is data, stderr is messages; whatever strangers wrote is printed inert.

Messages are for people, unless `err.is_log`: then each is a line for machines.
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
    """What the command tells the program that ran it; the largest wins: 2 > 3 > 5 > 4 > 1."""

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
    """Whether the work goes on when nobody reads what is printed of it."""
    is_unread = False

    def on_broken_pipe(self) -> None:
        """Write no more; end as other programs do, unless the work goes on."""
        self.quiet = True
        self.reader_left()

    def reader_left(self) -> None:
        """Send what is still to be written nowhere; raise SystemExit unless the work goes on."""
        self.is_unread = True
        close_quietly(sys.stderr if self.stderr else sys.stdout)
        if not self.outlives_reader:
            raise SystemExit(ExitCode.PIPE_CLOSED)


def has_person() -> bool:
    """Return whether a person can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirmed(question: str) -> bool:
    """Return whether the person at the terminal agrees; any answer but yes is a refusal.

    Typer's own question prints a blank on stdout.
    """
    err.print(inert(f"{question} [y/N] "), end="", soft_wrap=True)
    return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")


def close_quietly(stream: IO[str] | None) -> None:
    """Send what is still to be written on a stream nowhere: nobody reads it any more."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_document(document: bytes) -> None:
    """Write a whole document on stdout as it is; raise OSError if that fails."""
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
    """Return text that a terminal shows and never obeys, secrets masked."""
    return Text(visible(redact(text)), style=style)


def counted(number: int, noun: str) -> str:
    """Spell a count: `1 key`, `1,200 keys`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tell(console: Console, text: Text) -> None:
    """Print a sentence: wrapped at words for a person, on one line for a program."""
    console.print(text, soft_wrap=not console.is_terminal)


def say(message: str, style: str = "", level: Level = Level.INFO) -> None:
    """Print one message on stderr."""
    if err.is_log:
        log(message, level)
    elif level is not Level.INFO or not err.is_terse:
        tell(err, inert(message, style))


def log(event: str, level: Level = Level.INFO, **fields: Any) -> None:  # noqa: ANN401 - JSON
    """Print a line for machines, if that is what messages are for."""
    if err.is_log:
        err.print(Text(log_line(level, event, fields)), soft_wrap=True)


def show_error(error: KeyVigilError) -> ExitCode:
    """Print what happened, where, and what to do next; return the exit code it means."""
    message = str(error)
    if isinstance(error, PolicyError):
        mistakes = counted(len(error.problems), "mistake")
        message = f"{mistakes} in the {error.what}; nothing was done."
    if err.is_log:
        level = Level.WARNING if isinstance(error, StoreLocked) else Level.ERROR
        log(message, level, **fields_of_error(error))
    else:
        _print_error(error, message)
    return code_of(error)


def code_of(error: Exception) -> ExitCode:
    """Return the exit code that an error means."""
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
    """Return the code of the largest problem."""
    return max(codes, key=_LARGEST_LAST.index, default=ExitCode.DONE)
