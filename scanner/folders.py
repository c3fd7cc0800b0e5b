"""Folders that KeyVigil creates, and links in folders that other users can write to."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_MOST_LINKS: Final = 40


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents for this user only, under any umask."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        try:
            one.mkdir(mode=0o700)
        except FileExistsError:  # another process created it
            continue
        one.chmod(0o700)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def target_of(path: Path) -> Path:
    """Return the path without links; raise OSError for a link that another user may have made."""
    whole = path.absolute()
    current, rest = Path(whole.anchor), list(whole.parts[1:])
    links = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            current = current.parent
            continue
        if not (current / part).is_symlink():
            current /= part
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if is_shared(current):
            why = f"{current / part} is a symbolic link in a folder that other users can write to"
            raise OSError(errno.ELOOP, why, str(path))
        named = (current / part).readlink()
        rest[:0] = named.parts[1:] if named.is_absolute() else named.parts
        current = Path(named.anchor) if named.is_absolute() else current
    return current


def is_shared(folder: Path) -> bool:
    """Whether another user than root can write to a folder."""
    found = folder.stat()
    is_foreign = hasattr(os, "geteuid") and found.st_uid not in (0, os.geteuid())
    return is_foreign or bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
