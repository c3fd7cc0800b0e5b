"""Text fitted into columns of terminal cells; a wide character takes two of them."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

_ELLIPSIS: Final = "…"


def shorten_end(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, without its end where it is longer."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}{_ELLIPSIS}" if width > 0 else ""


def shorten_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, without its middle where it is longer.

    Names often differ only at their end: `production-eu-1`, `production-eu-2`.
    """
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return _ELLIPSIS[:width]
    tail = (width - 1) // 2
    head = set_cell_size(text, width - 1 - tail).rstrip()
    return f"{head}{_ELLIPSIS}{_end_of(text, tail)}"


def _end_of(text: str, width: int) -> str:
    """Return as much of the end of `text` as fits in `width` cells."""
    if not width:
        return ""
    end = text[-width:]
    while cell_len(end) > width:
        end = end[1:]
    return end.lstrip()


def fitted(widths: Sequence[int], available: int) -> list[int]:
    """Return these widths, the largest ones reduced to one maximum if they exceed `available`."""
    cap = max(widths, default=0)
    while cap > 1 and sum(min(width, cap) for width in widths) > available:
        cap -= 1
    reduced = [min(width, cap) for width in widths]
    spare = available - sum(reduced)
    for column, width in enumerate(widths):
        if reduced[column] < width and spare > 0:
            reduced[column] += 1
            spare -= 1
    return reduced


def padded(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    """Return one row: each cell padded to its width, without spaces at the end."""
    return (" " * gap).join(map(set_cell_size, cells, widths)).rstrip()
