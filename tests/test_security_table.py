"""The table of threats in SECURITY.md names tests that exist."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
_SECTION: Final = re.compile(r"^## Threats$(.*?)^## ", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"\[`\w+`\]\((tests/[\w/]+\.py)\): ((?:`\w+`(?:, )?)+)")


def rows() -> list[str]:
    section = _SECTION.search((ROOT / "SECURITY.md").read_text())
    assert section
    lines = [line for line in section[1].splitlines() if line.startswith("| ")]
    return lines[1:]


def named_in(row: str) -> list[tuple[str, str]]:
    """Return the file and the name of each test that a row names."""
    named = _FILE.findall(row.split(" | ")[2])
    return [(file, name) for file, names in named for name in re.findall(r"`(\w+)`", names)]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[2:40])
def test_each_threat_names_tests_that_exist(row: str) -> None:
    named = named_in(row)
    assert named
    assert row.count("`test_") - row.count("[`test_") + row.count("`Test") == len(named)
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert name in defined | assigned, f"{file} has no {name}"
