"""The nights as a picture: a bar for each, its violations stacked by severity."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from scanner.finding import Severity
from scanner.lifecycle import Night

_WIDTH: Final = 720
_HEIGHT: Final = 120
_WIDEST: Final = 36.0
_GAP: Final = 0.25
"""Of a bar's place."""


class Block(NamedTuple):
    """The violations of one severity in one night: a rectangle in the picture's units."""

    severity: Severity
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """One night: its blocks, the middle of its place, and the height it reaches."""

    night: Night
    middle: float
    top: float
    blocks: tuple[Block, ...]


class Chart(NamedTuple):
    """The picture and its size."""

    width: float
    height: float
    bars: tuple[Bar, ...]


def draw(nights: Sequence[Night]) -> Chart:
    """Return a bar for each night, left to right; the highest fills the picture."""
    peak = max((night.violations for night in nights), default=0) or 1
    place = min(_WIDTH / max(len(nights), 1), _WIDEST)
    bars = tuple(_bar(night, number * place, place, peak) for number, night in enumerate(nights))
    return Chart(width=round(place * len(nights), 2), height=_HEIGHT, bars=bars)


def _bar(night: Night, left: float, place: float, peak: int) -> Bar:
    blocks: list[Block] = []
    bottom = float(_HEIGHT)
    for severity in Severity:
        height = _HEIGHT * night.by_severity[severity] / peak
        if height:
            bottom -= height
            block = Block(
                severity,
                x=round(left, 2),
                y=round(bottom, 2),
                width=round(place * (1 - _GAP), 2),
                height=round(height, 2),
            )
            blocks.append(block)
    middle = round(left + place * (1 - _GAP) / 2, 2)
    return Bar(night=night, middle=middle, top=round(bottom, 2), blocks=tuple(blocks))
