"""The folder of reports, served to clients with the token."""

import html
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from jinja2 import Environment

from scanner.bundled import bundled
from scanner.display import visible
from scanner.errors import UsageError
from scanner.formats.html_report import SCRIPT_HASH

PAGE: Final = "text/html; charset=utf-8"
_KINDS: Final = {
    ".html": PAGE,
    ".json": "application/json",
    ".jsonl": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".sarif": "application/json",
    ".xml": "application/xml",
}
_SHOWN: Final = ("text/html", "text/plain", "application/json")
_DEEPEST: Final = 4
_MOST: Final = 2_000
_HEAD: Final = 4_096
_META: Final = re.compile(
    rb'<meta http-equiv="Content-Security-Policy" content="([^"<>]{1,1000})">', re.ASCII
)
_STRICT: Final = re.compile(
    r"default-src 'none'(?:; [a-z-]+(?: '(?:none|script|sha256-[A-Za-z0-9+/=]{44})')+)*"
)
_HASH: Final = re.compile(r"sha256-[A-Za-z0-9+/=]{44}")
NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_SANDBOX: Final = f"{NOTHING}; sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A report: `name` for display, `address` relative to the folder's."""

    name: str
    address: str
    at: datetime
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An opened report: `policy` is its Content-Security-Policy."""

    content: BinaryIO
    size: int
    kind: str
    policy: str
    is_shown: bool


class Reports:
    """Reads one folder: only report files, no symbolic links, no hidden files."""

    def __init__(self, folder: Path) -> None:
        """Raise UsageError if `folder` exists and is not a folder."""
        if _is_no_folder(folder):
            raise UsageError(
                f"--reports {folder} is not a folder.",
                help="Set it to the folder of the scans' reports, for example out for"
                " --output html=out/report.html.",
            )
        self.folder = folder

    def trouble(self) -> str:
        """Return why the folder cannot be read; "" if it can, or does not exist yet."""
        try:
            os.scandir(self.folder).close()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"The folder of reports cannot be read: {error.strerror}."
        return ""

    def files(self) -> tuple[File, ...]:
        """Return the reports, newest first."""
        found = sorted(self._found(self.folder, ()), key=lambda file: file.name)
        found.sort(key=lambda file: file.at, reverse=True)
        return tuple(found[:_MOST])

    def page(self) -> bytes:
        """Return an HTML page with a link to each report."""
        text = (bundled("reports") / "listing.html.j2").read_text(encoding="utf-8")
        environment = Environment(autoescape=True, lstrip_blocks=True, trim_blocks=True)
        return environment.from_string(text).render(files=self.files()).encode()

    def open(self, names: Sequence[str]) -> Opened | None:
        """Open the report at a path below the folder; None if not found."""
        kind = _KINDS.get(Path(names[-1]).suffix.lower()) if names else None
        if kind is None or not all(map(_is_plain, names)):
            return None
        try:
            handle = self._descend(names)
        except (OSError, ValueError):
            return None
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            return None
        return Opened(
            content=os.fdopen(handle, "rb"),
            size=found.st_size,
            kind=kind,
            policy=_policy(os.pread(handle, _HEAD, 0)) if kind == PAGE else _SANDBOX,
            is_shown=kind.startswith(_SHOWN),
        )

    def _descend(self, names: Sequence[str]) -> int:
        """Open each name relative to the folder before it, so that the path stays inside."""
        here = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in names[:-1]:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe would block
            return os.open(names[-1], flags, dir_fd=here)
        finally:
            os.close(here)

    def _found(self, folder: Path, above: tuple[str, ...]) -> Iterator[File]:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            names = (*above, entry.name)
            if not _is_plain(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False) and len(names) < _DEEPEST:
                yield from self._found(Path(entry.path), names)
            elif entry.is_file(follow_symlinks=False) and Path(entry.name).suffix.lower() in _KINDS:
                yield _file(entry, names)


def _is_no_folder(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False  # missing or inaccessible: this may change


def _file(entry: os.DirEntry[str], names: tuple[str, ...]) -> File:
    found = entry.stat(follow_symlinks=False)
    return File(
        name=visible("/".join(names)),
        address="/".join(quote(os.fsencode(name), safe="") for name in names),
        at=datetime.fromtimestamp(found.st_mtime, UTC),
        size=found.st_size,
    )


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set("/\\\0") & set(name)


def _policy(head: bytes) -> str:
    """Return a page's Content-Security-Policy: its own if it allows only the report's script."""
    match = _META.search(head)
    said = html.unescape(match[1].decode()) if match else ""
    if not _STRICT.fullmatch(said):
        return _SANDBOX
    scripts = (one for one in said.split("; ") if not one.startswith("style-src "))
    if any(found != SCRIPT_HASH for one in scripts for found in _HASH.findall(one)):
        return _SANDBOX
    return f"{said}; frame-ancestors 'none'"
