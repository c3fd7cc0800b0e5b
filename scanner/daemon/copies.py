"""The settings and policies as they were when last they could be used: the scans read these."""

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
"""One more than a policy can have: what is too large stays so, and is refused as such."""
_NONE: Final = "{}\n"


class Copies:
    """One set of copies under a private folder, where `reading_copies` finds them."""

    def __init__(self, folder: Path) -> None:
        """Raise OutputError, as all that writes here does, if the disk takes nothing."""
        self.folder = folder
        self.originals: list[Path] = []
        with _writing(folder):
            folder.mkdir(mode=0o700)

    def settings(self, file: Path | None) -> Path:
        """Copy the settings, or write that there are none: scans read none that come later.

        Return which file a scan is to be told of.
        """
        if file is not None:
            self._copy(file)
            return file.absolute()
        none = Path(DEFAULT_FILE).absolute()
        self._write(none, _NONE.encode())
        return none

    def policy(self, name_or_file: str) -> None:
        """Copy a policy's file and those it extends; one that ships is read where it is."""
        if not is_file(name_or_file):
            return
        file = Path(name_or_file)
        is_known = file.absolute() in self.originals
        content = self._copy(file)
        if not is_known:
            for name in _extended(content):
                self.policy(str(file.parent / name) if is_file(name) else name)

    def drop(self) -> None:
        """Remove them."""
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
            f"{path}, a copy of what scans read, cannot be written: {error.strerror}.",
            help="Free the disk that the temporary folder is on.",
        ) from None


def _extended(content: bytes) -> Iterator[str]:
    """Yield what a policy extends; nothing of what is none: whoever reads it all will say why."""
    try:
        root, _ = read_document(content.decode("utf-8-sig"), "")
    except (PolicyError, UnicodeDecodeError):
        return
    entries = root.entries if isinstance(root, Mapping) else ()
    for key, value in entries:
        if key.text == "extends":
            nodes = value.items if isinstance(value, Items) else (value,)
            yield from (node.text for node in nodes if isinstance(node, Scalar))
