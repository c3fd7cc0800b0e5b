"""Files as they were when they were checked: the scans of `keyvigil serve` read copies of them.

A file keeps its name: what counts from its folder, and what is told of it, stay as they are.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

COPIES: Final = "KEYVIGIL_COPIES"
"""Names the folder of the copies to a scan that the daemon starts."""
_folder: ContextVar[Path | None] = ContextVar("copies", default=None)


@contextmanager
def reading_copies(folder: Path) -> Iterator[None]:
    """Let `to_read` name the copies below a folder while the context lasts."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def to_read(file: Path) -> Path:
    """Return what is to be read for a file: its copy, where copies are read; else itself."""
    folder = _folder.get() or os.environ.get(COPIES)
    return copy_of(file, Path(folder)) if folder else file


def copy_of(file: Path, folder: Path) -> Path:
    """Return where a file's copy is: at the file's own path, absolute, below the folder."""
    original = Path(os.path.normpath(file.absolute()))
    return folder / original.relative_to(original.anchor)
