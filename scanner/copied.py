"""Copies of checked files: the scans of `keyvigil serve` read these instead of the originals.

Messages and paths relative to a file's folder still use the original path.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

COPIES: Final = "KEYVIGIL_COPIES"
"""The variable with the folder of the copies, for a scan that the daemon starts."""
_folder: ContextVar[Path | None] = ContextVar("copies", default=None)


@contextmanager
def reading_copies(folder: Path) -> Iterator[None]:
    """Make `to_read` return the copies below a folder while the context lasts."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def to_read(file: Path) -> Path:
    """Return the path to read for a file: its copy if copies are in use, else itself."""
    folder = _folder.get() or os.environ.get(COPIES)
    return copy_of(file, Path(folder)) if folder else file


def copy_of(file: Path, folder: Path) -> Path:
    """Return the path of a file's copy: the file's absolute path below the folder."""
    original = Path(os.path.normpath(file.absolute()))
    return folder / original.relative_to(original.anchor)
