from pathlib import Path

import pytest

from scanner.errors import OutputError, UsageError
from scanner.formats.files import check_writable, write_whole


def test_a_file_is_written_whole_for_its_owner_alone_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.html"
    write_whole(path, "Zoë\n")
    assert path.read_bytes() == "Zoë\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_whole(path, "new")
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
        write_whole(path, "new")
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_a_disk_that_refuses_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"report\.html could not be written: No space left"):
        write_whole(tmp_path / "report.html", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_be_no_file_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_writable(tmp_path / "new" / "report.html")
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        check_writable(tmp_path / "file" / "report.html")
