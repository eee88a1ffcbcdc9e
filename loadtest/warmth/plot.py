"""The policies as a picture: for each town, who met a cold engine over the warm hours paid. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from loadtest.warmth.judging import Judged
from loadtest.warmth.simulator import Outcome

_WIDTH: Final = 760
_PANEL: Final = (380, 250)
_LEFT: Final = 46
_RIGHT: Final = 20
_TOP: Final = 34
_BOTTOM: Final = 40
_WEEK_H: Final = 168
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2)
_COLORS: Final = {
    "fixed hours": "#3b528b",
    "learned hours": "#d04a02",
    "always on": "#333333",
    "on demand": "#21918c",
}


class _Panel(NamedTuple):
    """One town's place in the picture, and the shares that it shows: so many steps."""

    x: float
    y: float
    step: float
    steps: int

    def at(self, hours: float, share: float) -> tuple[float, float]:
        width, height = _PANEL[0] - _LEFT - _RIGHT, _PANEL[1] - _TOP - _BOTTOM
        return self.x + _LEFT + hours / _WEEK_H * width, self.y + _TOP + (1 - share / (self.step * self.steps)) * height


def svg(results: Sequence[Judged]) -> str:
    """An SVG file: lines are learned hours of each ceiling, dots the policies."""
    rows = (len(results) + 1) // 2
    height = rows * _PANEL[1] + 30
    parts = [f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>']
    for number, result in enumerate(results):
        parts += _panel(result, number % 2 * _PANEL[0], number // 2 * _PANEL[1])
    for number, (name, color) in enumerate(_COLORS.items()):
        x = _LEFT + number * 170
        parts.append(f'<circle cx="{x}" cy="{height - 16}" r="5" fill="{color}"/>')
        parts.append(_label(x + 10, height - 12, name, "start"))
    size = f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>", ""])


def _panel(result: Judged, x: float, y: float) -> Iterator[str]:
    most = max(outcome.share for outcome in [*result.outcomes.values(), *result.curve.values()])
    step = next((step for step in _STEPS if most <= 5 * step), _STEPS[-1])
    panel = _Panel(x, y, step, max(1, math.ceil(most / step)))

    def place(outcome: Outcome) -> tuple[float, float]:
        return panel.at(result.hours(outcome), outcome.share)

    (left, bottom), (right, top) = panel.at(0, 0), panel.at(_WEEK_H, step * panel.steps)
    yield f'<path d="M{left:.1f},{top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" stroke="#333"/>'
    yield _label((left + right) / 2, y + 20, f"{result.town}: people who met a cold engine", "middle")
    for hours in range(0, _WEEK_H + 1, 24):
        yield _label(panel.at(hours, 0)[0], bottom + 14, str(hours), "middle")
    yield _label((left + right) / 2, bottom + 28, "warm hours paid a week", "middle")
    for share in (number * step for number in range(panel.steps + 1)):
        yield _label(left - 5, panel.at(0, share)[1] + 4, f"{share:.0%}", "end")
    line = " ".join(f"{at:.1f},{up:.1f}" for at, up in map(place, result.curve.values()))
    color = _COLORS["learned hours"]
    yield f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5" stroke-dasharray="4 3"/>'
    for name, outcome in result.outcomes.items():
        at, up = place(outcome)
        yield f'<circle cx="{at:.1f}" cy="{up:.1f}" r="5" fill="{_COLORS[name]}"/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{text}</text>'
