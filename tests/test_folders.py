"""Folders are private under any umask; links that others can make are not followed."""

import os
from pathlib import Path

import pytest

from scanner.errors import OutputError, UsageError
from scanner.folders import make_folder
from scanner.formats.files import check_writable, write_whole
from scanner.store.database import open_database


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_every_new_folder_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "out" / "acme" / "r.html", b"report")
        make_folder(tmp_path / "deep" / "er")
        open_database(str(tmp_path / "state" / "keyvigil" / "h.db"))
    finally:
        os.umask(before)
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(folders) == 6
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o770])
@pytest.mark.parametrize("link", ["r.html", "folder/r.html"])
def test_a_link_in_a_shared_folder_is_not_followed(tmp_path: Path, mode: int, link: str) -> None:
    theirs, shared = tmp_path / "theirs", tmp_path / "shared"
    theirs.mkdir()
    victim = theirs / "r.html"
    victim.write_text("precious")
    shared.mkdir()
    shared.chmod(mode)
    is_file = "/" not in link
    (shared / link.partition("/")[0]).symlink_to(victim if is_file else theirs)
    path = shared / link
    with pytest.raises(OutputError, match="symbolic link"):
        write_whole(path, b"report")
    with pytest.raises(UsageError, match="symbolic link"):
        check_writable(path)
    with pytest.raises(UsageError, match="symbolic link"):
        open_database(str(path))
    assert victim.read_text() == "precious"


def test_a_link_in_a_folder_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "latest").symlink_to("reports/../reports")
    write_whole(tmp_path / "latest" / "r.html", b"report")
    assert (tmp_path / "reports" / "r.html").read_bytes() == b"report"
