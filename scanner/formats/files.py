"""Writing a finished document to disk: whole or not at all, and for its owner's eyes only."""

import os
import tempfile
from pathlib import Path

from scanner.errors import OutputError, UsageError
from scanner.folders import make_folder, target_of


def check_writable(path: Path) -> None:
    """Raise UsageError if `path` cannot become a file, before anything is done for its sake."""
    try:
        target_of(path)
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise UsageError(f"{path} is {kind}.", help="Name the file to write; - is stdout.")
        nearest = next(folder for folder in path.absolute().parents if folder.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise UsageError(
                f"{path} cannot be written: {nearest} is not a folder that you may write to.",
                help="Name a file in a folder of yours.",
            )
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", help="Name another file."
        ) from None


def try_to_write(path: Path) -> None:
    """Write a file without a name where `path` will be; raise OutputError if that fails."""
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.",
            help="Free the disk, or name a file in a folder that you may write to.",
        ) from None


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` aside and rename it into place: a reader sees all of it or none.

    Makes missing folders, and follows links except in folders that others can write to. `mode` is
    for its owner's eyes only, unless somebody else is to read it.
    Raise OutputError if the disk refuses; nothing is left half-written.
    """
    try:
        target = target_of(path)
        make_folder(target.parent)
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=".keyvigil-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(mode)
            Path(aside).replace(target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror}.",
            help="Free the disk or name another place, then scan again.",
        ) from None
