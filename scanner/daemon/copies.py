"""The settings and policies as they were when last they could be used: the scans read these."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scanner.errors import PolicyError, UsageError
from scanner.policy.document import Items, Mapping, Scalar, read_document
from scanner.policy_files import is_file

_BYTES: Final = 4_000_001
"""One more than a policy can have: what is too large stays so, and is refused as such."""
_NONE: Final = "{}\n"


class Copies:
    """One set of copies under a private folder, each file at its own path, absolute.

    So a policy finds those beside it that it extends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.originals: list[Path] = []
        folder.mkdir(mode=0o700)

    def settings(self, file: Path | None) -> Path:
        """Copy the settings, or write that there are none: a scan is not to look for others."""
        if file is not None:
            return self._copy(file)[0]
        path = self._folder / "keyvigil.yaml"
        _write(path, _NONE.encode())
        return path

    def policy(self, name_or_file: str) -> str:
        """Copy a policy's file and those it extends; a shipped policy keeps its name."""
        if not is_file(name_or_file):
            return name_or_file
        return str(self._policy(Path(name_or_file)))

    def named_as_originals(self, text: str) -> str:
        """Return a message with the originals' paths in it."""
        return text.replace(str(self._folder), "")

    def drop(self) -> None:
        """Remove them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _policy(self, file: Path) -> Path:
        is_known = file.absolute() in self.originals
        path, content = self._copy(file)
        if not is_known:
            for name in _extended(content):
                if is_file(name):
                    self._policy(file.parent / name)
        return path

    def _copy(self, file: Path) -> tuple[Path, bytes]:
        original = Path(os.path.normpath(file.absolute()))
        if file.absolute() not in self.originals:
            self.originals.append(file.absolute())
        try:
            with file.open("rb") as opened:
                content = opened.read(_BYTES)
        except OSError as error:
            raise UsageError(
                f"{file} cannot be read: {error.strerror}.", help="Check the path."
            ) from None
        path = self._folder / original.relative_to(original.anchor)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, content)
        return path, content


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


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
