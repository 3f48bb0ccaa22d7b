"""Curves as SVG: cost over size, both axes logarithmic, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

Points = Sequence[tuple[float, float]]

WIDTH: Final = 760
HEIGHT: Final = 380
LEFT: Final = 60
RIGHT: Final = 220
TOP: Final = 40
BOTTOM: Final = 50
# Colours that eyes without red or green tell apart; the dashes tell them apart in grey as well.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
DASHES: Final = ("", "6 3", "2 2", "8 3 2 3", "12 4", "4 6", "1 4")
GRID: Final = "#9a9a9a"


def curves(title: str, *, x: str, y: str, lines: Mapping[str, Points]) -> str:
    """Return a picture of lines by name. x, y: the titles of the axes; values above 0."""
    points = [point for line in lines.values() for point in line]
    across = _Axis([value for value, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([value for _, value in points], HEIGHT - BOTTOM, TOP)
    where = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {where}><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, title, size=15),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, anchor="middle"),
        _text(8, TOP - 8, y),
    ]
    for value in across.ticks:
        place = across.place(value)
        parts.append(_rule(place, TOP, place, HEIGHT - BOTTOM))
        parts.append(_text(place, HEIGHT - BOTTOM + 18, _tick(value), anchor="middle"))
    for value in up.ticks:
        place = up.place(value)
        parts.append(_rule(LEFT, place, WIDTH - RIGHT, place))
        parts.append(_text(LEFT - 6, place + 4, _tick(value), anchor="end"))
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(number, name, [(across.place(a), up.place(b)) for a, b in line])
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """A logarithmic axis over whole decades, from one edge of the picture to the other."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = floor(log10(min(values)))
        self._high = max(ceil(log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    @property
    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self._low, self._high + 1)]

    def place(self, value: float) -> float:
        share = (log10(value) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _line(number: int, name: str, points: Points) -> list[str]:
    # Colour and dash never repeat together.
    colour = COLOURS[number % len(COLOURS)]
    dash = DASHES[(number + number // len(COLOURS)) % len(DASHES)]
    way = " ".join(f"{a:g},{b:g}" for a, b in points)
    stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
    place = TOP + 10 + 20 * number
    start = WIDTH - RIGHT + 15
    return [
        f'<polyline points="{way}" fill="none" {stroke}/>',
        *(f'<circle cx="{a:g}" cy="{b:g}" r="3" fill="{colour}"/>' for a, b in points),
        f'<line x1="{start}" y1="{place}" x2="{start + 28}" y2="{place}" {stroke}/>',
        _text(start + 34, place + 4, name),
    ]


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{GRID}" opacity="0.4"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    where = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {where} fill="#222222">{escape(text)}</text>'
