"""Paths with placeholders: filled, safe, and refused where one is unknown."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.path_template import PLACEHOLDERS, check_template, fill, of_organization, safe_name

AT = datetime(2026, 11, 24, 2, 5, 9, tzinfo=UTC)


def test_every_placeholder_is_filled() -> None:
    text = "/".join(f"{{{name}}}" for name in PLACEHOLDERS)
    check_template(text)
    filled = fill(text, at=AT, scan_id="20261124T020509Z-0a", organization="Acme EU")
    assert filled == "2026-11-24/020509/20261124T020509Z-0a/Acme-EU"


def test_the_organization_alone_is_put_in_before_a_scan() -> None:
    assert of_organization("{date}/{organization}", "Acme") == "{date}/Acme"


def test_a_name_that_looks_like_a_placeholder_is_no_placeholder() -> None:
    filled = fill("{organization}", at=AT, scan_id="x", organization="{scan_id}")
    assert filled == "scan_id"


@pytest.mark.parametrize("text", ["{}", "{ date }", "{Date}", "a{b}c"])
def test_an_unknown_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has an unknown placeholder"):
        check_template(text)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Acme", "Acme"),
        ("Acme / Robotics (EU)", "Acme-Robotics-EU"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("Zürich", "Zürich"),
        ("a" * 300, "a" * 60),
    ],
)
def test_a_name_is_made_safe_for_files(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text())
def test_any_name_is_one_part_of_a_path(name: str) -> None:
    safe = safe_name(name)
    assert PurePosixPath(safe).parts == (safe,)
    assert not safe.startswith((".", "-"))
    assert len(safe.encode()) <= 255
    assert safe.isprintable()
