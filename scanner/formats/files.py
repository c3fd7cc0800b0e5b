"""Atomic writes of documents, readable by their owner only."""

import os
import tempfile
from pathlib import Path

from scanner.errors import OutputError, UsageError
from scanner.folders import make_folder, target_of


def check_writable(path: Path) -> None:
    """Raise UsageError if `path` cannot become a file; called before the scan."""
    try:
        target_of(path)
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise UsageError(f"{path} is {kind}.", help="Give the name of a file, or - for stdout.")
        nearest = next(folder for folder in path.absolute().parents if folder.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise UsageError(
                f"{path} cannot be written: {nearest} is not a folder that you may write to.",
                help="Choose a file in a folder that you may write to.",
            )
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", help="Choose another file."
        ) from None


def try_to_write(path: Path) -> None:
    """Write an unnamed file next to `path`; raise OutputError if that fails."""
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.",
            help="Free disk space, or choose a file in a folder that you may write to.",
        ) from None


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` to a temporary file and rename it: readers see all of it or none.

    Creates missing folders, and follows links except in folders that others can write to. `mode`
    is the file's, by default readable by its owner only. Raise OutputError if writing fails.
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
            help="Free disk space or choose another file, then scan again.",
        ) from None
