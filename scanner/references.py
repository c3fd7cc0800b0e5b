"""Where a secret stands - a variable, a file, what a program says - and how it is fetched."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scanner.display import visible
from scanner.errors import CredentialError
from scanner.secret import Secret, redact

COMMAND_SECONDS: Final = 30.0
_BYTES: Final = 20_000
_SHOWN: Final = 500
_SECRET_FROM: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One of three: a variable's name, a file, or a program and its arguments.

    `at` is where that is said.
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
    """Return the secret, without white space around it; raise CredentialError where it is not."""
    if reference.command:
        return _said_by(reference, seconds)
    if reference.file is not None:
        return _in_file(reference, reference.file)
    text = environment.get(reference.variable, "").strip()
    if not text:
        raise _failed(reference, "is not set", f"Set {reference.variable} in the environment.")
    return Secret(text)


def _in_file(reference: Reference, file: Path) -> Secret:
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(_BYTES + 1)
        text = content.decode().strip() if len(content) <= _BYTES else ""
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise _failed(reference, why, "Check the path, and who may read it.") from None
    except ValueError:  # no UTF-8, or no path
        text = ""
    return _one_line(reference, text, "has")


def _said_by(reference: Reference, seconds: float) -> Secret:
    """Run the program, without a shell, in a process group that ends with it."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own program, and no shell
            reference.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no program's name"
        raise _failed(reference, f"cannot be started: {why}", "Check the program's path.") from None
    with process:
        try:
            said, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise _failed(
                reference,
                f"gave no key within {seconds:g} s, and was stopped",
                "Run it by hand: it must not ask for anything.",
            ) from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        told = _masked(complaint, said)
        raise _failed(
            reference,
            f"failed with {process.returncode}{f': {told}' if told else ' and said nothing'}",
            "Run it by hand to see why.",
        )
    try:
        text = said.decode().strip() if len(said) <= _BYTES else ""
    except UnicodeDecodeError:
        text = ""
    return _one_line(reference, text, "said")


def _one_line(reference: Reference, text: str, verb: str) -> Secret:
    """Return the only line; raise CredentialError, which never repeats any of it."""
    if not text or not text.isprintable():
        what = f"{verb} more than one line of text" if text else f"{verb} nothing that is a key"
        raise _failed(reference, what, "It is to give the key alone, on one line.")
    return Secret(text)


def _masked(complaint: bytes, said: bytes) -> str:
    """Return what a program complained of, without any long word of its stdout."""
    text = complaint.decode(errors="replace")
    for word in said.decode(errors="replace").split():
        if len(word) >= _SECRET_FROM:
            text = Secret(word).mask(text)
    return visible(redact(" ".join(text.split()))[:_SHOWN])


def _failed(reference: Reference, why: str, advice: str) -> CredentialError:
    at = f"{reference.at}: " if reference.at else ""
    return CredentialError(f"{at}{reference} {why}.", help=advice)
