"""Text fits its column in terminal cells, and names differ where their ends do."""

import pytest
from rich.cells import cell_len

from scanner.cli.columns import fitted, padded, shorten_end, shorten_middle

TEXTS = (
    "",
    "a",
    "production-eu-west-batch-1",
    "日本語の鍵の名前です",
    "a日b本c語d",
    "🔑🔑🔑🔑",
    "e\u0301" * 9,
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", range(15))
def test_a_shortened_text_never_exceeds_its_width(text: str, width: int) -> None:
    for shorten in (shorten_end, shorten_middle):
        assert cell_len(shorten(text, width)) <= width
        assert shorten(text, 40) == text


@pytest.mark.parametrize("width", range(6, 26))
def test_names_that_differ_at_their_end_still_differ(width: int) -> None:
    names = {shorten_middle(f"production-eu-west-batch-{number}", width) for number in "12"}
    assert len(names) == 2
    assert all(name.startswith("pr") and "…" in name for name in names)


def test_a_phrase_keeps_its_beginning() -> None:
    assert shorten_end("not used for 303 days", 12) == "not used fo…"
    assert shorten_end("not used for 303 days", 10) == "not used…"


@pytest.mark.parametrize(
    ("widths", "available", "expected"),
    [
        ([], 10, []),
        ([3, 4], 10, [3, 4]),
        ([3, 20, 20], 23, [3, 10, 10]),
        ([3, 20, 20], 24, [3, 11, 10]),
        ([3, 9, 20], 22, [3, 9, 10]),
        ([20, 20], 1, [1, 1]),
    ],
)
def test_the_widest_columns_are_reduced_first(
    widths: list[int], available: int, expected: list[int]
) -> None:
    assert fitted(widths, available) == expected


def test_a_row_is_padded_in_cells_without_spaces_at_its_end() -> None:
    assert padded(("日本", "b", "c"), (6, 3, 9), 2) == "日本    b    c"
