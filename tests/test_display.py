import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.display import visible


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", r"\u{1b}[31mred"),
        ("two\nlines\r\t", r"two\u{a}lines\u{d}\u{9}"),
        ("inv\u202egpj.exe", r"inv\u{202e}gpj.exe"),
        ("a\u200bb\ufeff", r"a\u{200b}b\u{feff}"),
        ("\x9b31m", r"\u{9b}31m"),
        ("\ud800", r"\u{d800}"),
        ("Zoë 👩\u200d💻 日本", "Zoë 👩\u200d💻 日本"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert not [c for c in visible(text) if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]


@given(st.text())
def test_making_visible_twice_changes_nothing_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)
