"""The scans as a bar chart: violations stacked by severity."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from scanner.lifecycle import Night
from scanner.severity import Severity

_WIDTH: Final = 960
_HEIGHT: Final = 120
_WIDEST: Final = 48.0
_GAP: Final = 0.25
"""The share of a bar's slot that is empty."""


class Block(NamedTuple):
    """The violations of one severity in one scan: a rectangle in chart units."""

    severity: Severity
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """One scan: its blocks, the middle of its slot, and its top."""

    scan: Night
    middle: float
    top: float
    blocks: tuple[Block, ...]


class Shape(NamedTuple):
    """The blocks of one severity in all scans, as an SVG path."""

    severity: Severity
    path: str


class Chart(NamedTuple):
    """The chart: its size, its bars, and a shape for each severity, the most severe first."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    shapes: tuple[Shape, ...]


def draw(nights: Sequence[Night]) -> Chart:
    """Return a bar for each scan, left to right; the highest has the height of the chart."""
    peak = max((night.violations for night in nights), default=0) or 1
    place = _WIDTH / max(len(nights), 1)
    bars = tuple(_bar(night, number * place, place, peak) for number, night in enumerate(nights))
    paths: dict[Severity, str] = dict.fromkeys(Severity, "")
    for bar in bars:
        for block in bar.blocks:
            paths[block.severity] += (
                f"M{block.x:g} {block.y:g}h{block.width:g}v{block.height:g}H{block.x:g}z"
            )
    shapes = tuple(Shape(severity, path) for severity, path in paths.items() if path)
    return Chart(width=_WIDTH, height=_HEIGHT, bars=bars, shapes=shapes)


def _bar(night: Night, left: float, place: float, peak: int) -> Bar:
    width = min(place * (1 - _GAP), _WIDEST)
    middle = left + place / 2
    blocks: list[Block] = []
    bottom = float(_HEIGHT)
    for severity in Severity:
        height = _HEIGHT * night.by_severity[severity] / peak
        if height:
            bottom -= height
            block = Block(
                severity,
                x=round(middle - width / 2, 2),
                y=round(bottom, 2),
                width=round(width, 2),
                height=round(height, 2),
            )
            blocks.append(block)
    return Bar(scan=night, middle=round(middle, 2), top=round(bottom, 2), blocks=tuple(blocks))
