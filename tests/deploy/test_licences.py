"""The list of licences: complete, up to date, and in the image."""

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from deploy.release import os_packages
from deploy.release.licences import DOCUMENT, TABLE, bundled, document, licence
from deploy.release.locked import LOCK, ReleaseError, install, read_lock
from tests.conftest import golden
from tests.deploy.conftest import Wheels

OSI = "Classifier: License :: OSI Approved ::"
LOCKED = read_lock(LOCK.read_text())


def made(folder: Path, metadata: str, *files: str) -> Distribution:
    """Install a distribution with these lines of metadata and these files."""
    info = folder / "made-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: made\nVersion: 1\n{metadata}")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    (one,) = distributions(path=[str(folder)])
    return one


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: BSD\n", "MIT OR Apache-2.0"),
        (f"License: BSD\n{OSI} MIT License\n", "MIT"),
        (f"{OSI} BSD License\n", "BSD License"),
        ("License: Apache-2.0\nClassifier: License :: OSI Approved\n", "Apache-2.0"),
        (f"{OSI} MIT License\n{OSI} ISC License (ISCL)\n", "MIT, ISC"),
    ],
)
def test_the_expression_comes_first_then_the_classifiers(
    tmp_path: Path, metadata: str, named: str
) -> None:
    assert licence(made(tmp_path, metadata)) == named


@pytest.mark.parametrize(
    "metadata",
    ["", "License: UNKNOWN\n", "License:\n", "Classifier: License :: OSI Approved\n"],
)
def test_a_distribution_without_a_licence_is_an_error(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(ReleaseError, match=r"made 1 names no licence[^\n]*\nhelp: "):
        licence(made(tmp_path, metadata))


@pytest.mark.parametrize(
    "path", ["made/fast.cpython-313-x86_64-linux-gnu.so", "made.libs/libz.so.1", "made/v/LICENSE"]
)
def test_compiled_or_copied_code_that_is_not_reviewed_is_an_error(
    tmp_path: Path, path: str
) -> None:
    with pytest.raises(ReleaseError, match="made contains compiled or copied code"):
        bundled(made(tmp_path, "", path), {})


def test_a_library_beside_the_reviewed_ones_is_an_error(tmp_path: Path) -> None:
    wheel = made(tmp_path, "", "made.libs/libz.so.1", "made.libs/libnew.so.1")
    reviewed = {"name": "zlib", "licence": "Zlib", "files": "made.libs/libz.*"}
    with pytest.raises(ReleaseError, match=r"made contains made\.libs/libnew\.so\.1"):
        bundled(wheel, {"made": [reviewed]})


def test_a_part_that_the_wheel_no_longer_contains_is_an_error(tmp_path: Path) -> None:
    wheel = made(tmp_path, "", "made/fast.so")
    reviewed = {"name": "zlib", "licence": "Zlib", "files": "made.libs/libz.*"}
    with pytest.raises(ReleaseError, match="made no longer contains zlib"):
        bundled(wheel, {"made": [reviewed]})


def test_every_locked_distribution_is_listed_with_its_version_and_a_licence() -> None:
    _, below = DOCUMENT.read_text().split("## Python distributions\n")
    table = below.split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (\S+) \| ([^|]+) \| `", table, re.MULTILINE)
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert [row[:2] for row in rows] == sorted(pins)
    assert len(rows) > 30
    licences = {name: named for name, _, named in rows}
    assert licences["psycopg"] == licences["psycopg-binary"] == "LGPL-3.0-only"
    assert all(named.strip() for named in licences.values())


@pytest.mark.slow
def test_the_document_is_that_of_the_locked_wheels(wheels: Wheels) -> None:
    golden(DOCUMENT, document(LOCKED, wheels))


@pytest.mark.slow
def test_the_wheels_for_arm_contain_the_same_parts(wheels: Wheels, tmp_path: Path) -> None:
    on_arm = document(LOCKED, install(tmp_path, processor="aarch64"))
    assert on_arm == document(LOCKED, wheels)


@pytest.mark.slow
def test_an_entry_of_an_unknown_wheel_is_an_error(
    wheels: Wheels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / TABLE.name
    table.write_text(f"{TABLE.read_text()}\n[[gone]]\nname = 'zlib'\n")
    monkeypatch.setattr("deploy.release.licences.TABLE", table)
    with pytest.raises(ReleaseError, match=r"bundled\.toml lists gone"):
        document(LOCKED, wheels)


def test_the_packages_of_the_base_image_are_listed_with_their_licences(tmp_path: Path) -> None:
    status = tmp_path / "var" / "lib" / "dpkg" / "status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.3\nDescription: x\n more\n\n"
        "Package: base-files\nStatus: install ok installed\nVersion: 13\n\n"
        "Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: bare\nStatus: install ok installed\nVersion: 2\n"
    )
    for name, text in {
        "zlib1g": "License: Zlib\n\nFiles: debian/*\nLicense: GPL-2+ \n text\n\nLicense: Zlib\n",
        "base-files": "in prose\n",
    }.items():
        path = tmp_path / "usr" / "share" / "doc" / name / "copyright"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    shown = os_packages.document(tmp_path)
    _, table = shown.split("|---|---|---|---|\n")
    assert table.splitlines() == [
        "| bare | 2 | unknown | none found |",
        "| base-files | 13 | see the file | `/usr/share/doc/base-files/copyright` |",
        "| zlib1g | 1:1.3 | GPL-2+, Zlib | `/usr/share/doc/zlib1g/copyright` |",
    ]


def test_a_base_image_without_dpkg_is_reported_as_unknown(tmp_path: Path) -> None:
    assert ": file not found: `/var/lib/dpkg/status`." in os_packages.document(tmp_path)
