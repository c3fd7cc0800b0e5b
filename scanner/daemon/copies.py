"""Copies of the last valid settings and policies, which the scans read."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scanner.copied import copy_of
from scanner.errors import OutputError, PolicyError, UsageError
from scanner.folders import make_folder
from scanner.policy.document import Items, Mapping, Scalar, read_document
from scanner.policy_files import is_file
from scanner.settings_file import DEFAULT_FILE

_BYTES: Final = 4_000_001
"""One more than a policy may have, so that a copy of a too large file is too large as well."""
_NONE: Final = "{}\n"


class Copies:
    """One set of copies in a private folder, from which `reading_copies` reads."""

    def __init__(self, folder: Path) -> None:
        """Create the folder; like all writing methods, raise OutputError if that fails."""
        self.folder = folder
        self.originals: list[Path] = []
        with _writing(folder):
            folder.mkdir(mode=0o700)

    def settings(self, file: Path | None) -> Path:
        """Copy the settings, or write empty ones, so that scans ignore a file added later.

        Return the path that is passed to scans.
        """
        if file is not None:
            self._copy(file)
            return file.absolute()
        none = Path(DEFAULT_FILE).absolute()
        self._write(none, _NONE.encode())
        return none

    def policy(self, name_or_file: str) -> None:
        """Copy a policy's file and the files it extends; bundled policies are not copied."""
        if not is_file(name_or_file):
            return
        file = Path(name_or_file)
        is_known = file.absolute() in self.originals
        content = self._copy(file)
        if not is_known:
            for name in _extended(content):
                self.policy(str(file.parent / name) if is_file(name) else name)

    def drop(self) -> None:
        """Remove the copies."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self, file: Path) -> bytes:
        if file.absolute() not in self.originals:
            self.originals.append(file.absolute())
        try:
            with file.open("rb") as opened:
                content = opened.read(_BYTES)
        except OSError as error:
            raise UsageError(
                f"{file} cannot be read: {error.strerror}.", help="Check the path."
            ) from None
        self._write(file, content)
        return content

    def _write(self, file: Path, content: bytes) -> None:
        path = copy_of(file, self.folder)
        with _writing(path):
            make_folder(path.parent)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}, a copy of a file for the scans, cannot be written: {error.strerror}.",
            help="Free space on the disk of the temporary folder.",
        ) from None


def _extended(content: bytes) -> Iterator[str]:
    """Yield the names that a policy extends; none if it is invalid, which is reported later."""
    try:
        root, _ = read_document(content.decode("utf-8-sig"), "")
    except (PolicyError, UnicodeDecodeError):
        return
    entries = root.entries if isinstance(root, Mapping) else ()
    for key, value in entries:
        if key.text == "extends":
            nodes = value.items if isinstance(value, Items) else (value,)
            yield from (node.text for node in nodes if isinstance(node, Scalar))
