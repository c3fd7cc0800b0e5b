"""The files that `keyvigil init` writes: valid, also with everything uncommented."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import SettingsError
from scanner.policy_files import read_policies
from scanner.settings_file import parse_settings
from scanner.settings_table import POLICIES, SETTINGS
from scanner.settings_text import POLICY_FILE, SCHEMA_FILE, policy_text, settings_text

SECTIONS = ("organizations", "alerts", "revocation")


def uncommented(text: str) -> str:
    """Take every setting out of its comment; a comment in words has a blank and a word."""
    return re.sub(r"^#(?! \S)", "", text, flags=re.MULTILINE)


def test_as_written_it_says_which_policies_and_nothing_else() -> None:
    read = parse_settings(settings_text(), "keyvigil.yaml")
    assert {name: one.texts for name, one in read.said.items()} == {
        POLICIES.parameter: (POLICY_FILE,)
    }
    assert set(read.at) == {"policies"}


def test_with_every_line_uncommented_it_says_everything_there_is() -> None:
    read = parse_settings(uncommented(settings_text()), "keyvigil.yaml")
    assert set(read.said) == {one.parameter for one in SETTINGS if one.name}
    assert {word for word in SECTIONS if word in read.at} == set(SECTIONS)
    keys = [one.key for one in read.organizations]
    assert [bool(key.variable) for key in keys] == [True, False, False]
    assert [bool(key.command) for key in keys] == [False, False, True]


@pytest.mark.parametrize(
    "line", [n for n, x in enumerate(settings_text().splitlines()) if re.match(r"#\w+: \S", x)]
)
def test_each_line_can_be_uncommented_alone(line: int) -> None:
    lines = settings_text().splitlines()
    lines[line] = lines[line].removeprefix("#")
    assert len(parse_settings("\n".join(lines), "keyvigil.yaml").said) == 2


def test_editors_are_led_to_the_schema_and_lines_are_short() -> None:
    first, *rest = settings_text().splitlines()
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert all(len(line) <= 100 for line in rest)


def test_the_policy_extends_the_baseline(tmp_path: Path) -> None:
    path = tmp_path / POLICY_FILE
    path.write_text(policy_text())
    (policy,) = read_policies([str(path)])
    assert policy.name == "my-policy"
    assert len(policy.rules) == len(read_policies(["baseline"])[0].rules)


@given(st.data())
def test_whatever_becomes_of_it_it_is_read_or_refused_with_places(data: st.DataObject) -> None:
    text = uncommented(settings_text())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    with suppress(SettingsError):
        parse_settings(text, "k.yaml")
