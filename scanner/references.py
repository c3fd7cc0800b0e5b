"""Sources of secrets - a variable, a file, a program's output - and how they are read."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from scanner.display import visible
from scanner.errors import CredentialError, SecretUnavailable
from scanner.secret import Secret, redact

COMMAND_SECONDS: Final = 30.0
_BYTES: Final = 20_000
_REST: Final = 0.2
"""Seconds to read the remaining output of a program after it exited."""
_SHOWN: Final = 500
_SECRET_FROM: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One of three: a variable's name, a file, or a program and its arguments.

    `at` is the place of the setting that names it: file:line:column.
    """

    variable: str = ""
    file: Path | None = None
    command: tuple[str, ...] = ()
    at: str = ""

    def __str__(self) -> str:
        if self.command:
            return f"the command '{self.command[0]}'"
        return f"the file {self.file}" if self.file else self.variable


def fetch(
    reference: Reference, environment: Mapping[str, str], *, seconds: float = COMMAND_SECONDS
) -> Secret:
    """Return the secret, without white space around it.

    Raise CredentialError if the source is wrong, SecretUnavailable if a retry may succeed.
    """
    if reference.command:
        return _said_by(reference, seconds)
    if reference.file is not None:
        return _in_file(reference, reference.file)
    text = environment.get(reference.variable, "").strip()
    if not text:
        raise _wrong(reference, "is not set", f"Set {reference.variable} in the environment.")
    return Secret(text)


def _in_file(reference: Reference, file: Path) -> Secret:
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        why = f"cannot be read: {error.strerror}"
        raise _wrong(reference, why, "Check the path and its permissions.") from None
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise _away(reference, why, "Check its disk or mount.") from None
    except ValueError:  # not a valid path
        content = b""
    return _one_line(reference, content, "contains")


def _said_by(reference: Reference, seconds: float) -> Secret:
    """Return the program's output; it runs without a shell, in its own process group."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own program, and no shell
            reference.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a valid program name"
        raise _wrong(reference, f"cannot be started: {why}", "Check the program's path.") from None
    try:
        with process:
            said, complaint = _heard(process, seconds)
    except subprocess.TimeoutExpired:
        why = f"printed no secret within {seconds:g} s and was stopped"
        mend = "Run it by hand: it must not wait for input."
        raise _away(reference, why, mend) from None
    if max(len(said), len(complaint)) > _BYTES:
        why = f"printed more than {_BYTES:,} bytes and was stopped"
        raise _wrong(reference, why, "Make it print only the secret, on one line.")
    if process.returncode != 0:
        told = _masked(complaint, said)
        raise _away(
            reference,
            f"failed with exit code {process.returncode}"
            f"{f': {told}' if told else ' and printed no error'}",
            "Run it by hand to see why.",
        )
    return _one_line(reference, said, "printed")


def _heard(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[bytes, bytes]:
    """Return a program's stdout and stderr, each of about `_BYTES` at most.

    Its process group is killed if it prints more, or after `seconds`, when TimeoutExpired is
    raised. Processes that outlive the program are killed as well; output until then counts.
    """
    heard, is_over = [b"", b""], threading.Event()

    def read(number: int, pipe: IO[bytes]) -> None:
        while not is_over.is_set() and (more := os.read(pipe.fileno(), _BYTES)):
            heard[number] += more
            if len(heard[number]) > _BYTES:
                _kill(process)
                return

    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe]
    readers = [threading.Thread(target=read, args=pair, daemon=True) for pair in enumerate(pipes)]
    for reader in readers:
        reader.start()
    try:
        process.wait(seconds)
    finally:
        if process.returncode is not None:
            _join(readers)
        is_over.set()
        if process.returncode is None or any(reader.is_alive() for reader in readers):
            _kill(process)
            _join(readers)
    said, complaint = heard
    return said, complaint


def _join(readers: Sequence[threading.Thread]) -> None:
    for reader in readers:
        reader.join(_REST)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program's process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _one_line(reference: Reference, content: bytes, verb: str) -> Secret:
    """Return the only line; raise CredentialError, which contains no part of it."""
    try:
        text = content.decode().strip() if len(content) <= _BYTES else ""
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        what = f"{verb} {'more than one line of' if text else 'no'} text"
        raise _wrong(reference, what, "Provide only the secret, on one line.")
    return Secret(text)


def _masked(complaint: bytes, said: bytes) -> str:
    """Return a program's stderr, with each long word of its stdout masked."""
    text = complaint.decode(errors="replace")
    for word in said.decode(errors="replace").split():
        if len(word) >= _SECRET_FROM:
            text = Secret(word).mask(text)
    return visible(redact(" ".join(text.split()))[:_SHOWN])


def _wrong(reference: Reference, why: str, advice: str) -> CredentialError:
    return CredentialError(_sentence(reference, why), help=advice)


def _away(reference: Reference, why: str, advice: str) -> SecretUnavailable:
    return SecretUnavailable(_sentence(reference, why), help=advice)


def _sentence(reference: Reference, why: str) -> str:
    at = f"{reference.at}: " if reference.at else ""
    return f"{at}{reference} {why}."
