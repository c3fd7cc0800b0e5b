import os
from pathlib import Path

import pytest

from scanner.errors import OutputError, UsageError
from scanner.formats.files import check_writable, write_whole


def test_a_file_is_written_whole_for_its_owner_alone_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.html"
    write_whole(path, "Zoë\n".encode())
    assert path.read_bytes() == "Zoë\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_whole(path, b"new")
    assert path.read_text() == "new"


def test_an_interruption_leaves_the_older_report_and_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_a_disk_that_refuses_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"report\.html could not be written: No space left"):
        write_whole(tmp_path / "report.html", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "report.html")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "report.html").read_text() == "new"


def test_what_is_no_ordinary_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="regular file"):
        check_writable(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["n" * 300, "n" * 250])
def test_a_name_is_refused_beforehand_or_not_at_all(tmp_path: Path, name: str) -> None:
    try:
        check_writable(tmp_path / name)
    except UsageError as error:
        assert len(name) > 255, error  # noqa: PT017 - which of the two it was is the point
    else:
        write_whole(tmp_path / name, b"new")


def test_a_place_that_can_be_no_file_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_writable(tmp_path / "new" / "report.html")
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        check_writable(tmp_path / "file" / "report.html")


def test_what_others_are_to_read_they_may(tmp_path: Path) -> None:
    path = tmp_path / "keyvigil.prom"
    path.touch(0o600)
    before = os.umask(0o077)
    try:
        write_whole(path, b"new", 0o644)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
