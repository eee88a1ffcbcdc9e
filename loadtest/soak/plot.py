"""A soak as a picture: a panel for each series, a line for each scene. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loadtest.soak.verdict import BOUNDS, Verdict

_PANEL: Final = (380, 170)
_COLUMNS: Final = 2
_LEFT: Final = 66
_RIGHT: Final = 14
_TOP: Final = 26
_BOTTOM: Final = 24
_COLORS: Final = {"redis": "#d04a02", "memory": "#3b528b"}


def svg(verdicts: Sequence[Verdict]) -> str:
    """An SVG file. Each panel begins at zero: what grows is seen in proportion to what there is.

    The dashed lines are without what is remembered of each run and prediction.
    """
    bounds = BOUNDS[any(verdict.scene.redis for verdict in verdicts)]
    rows = -(-len(bounds) // _COLUMNS)
    width, height = _COLUMNS * _PANEL[0], rows * _PANEL[1] + 26
    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
    shown = [verdict for verdict in verdicts if verdict.samples]
    for number, bound in enumerate(bounds):
        row, column = divmod(number, _COLUMNS)
        parts += _panel(bound.name, shown, column * _PANEL[0], row * _PANEL[1])
    for number, verdict in enumerate(verdicts):
        x = _LEFT + number * 120
        parts.append(f'<circle cx="{x}" cy="{height - 12}" r="5" fill="{_COLORS[verdict.scene.name]}"/>')
        parts.append(_label(x + 10, height - 8, verdict.scene.name, "start"))
    size = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>", ""])


def _panel(name: str, verdicts: Sequence[Verdict], x: float, y: float) -> Iterator[str]:
    left, right, top, bottom = x + _LEFT, x + _PANEL[0] - _RIGHT, y + _TOP, y + _PANEL[1] - _BOTTOM
    most = max((max(verdict.series(name)) for verdict in verdicts), default=0.0) or 1.0
    last = max((verdict.samples[-1].seconds for verdict in verdicts), default=0.0) or 1.0
    yield f'<path d="M{left:.1f},{top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" stroke="#333"/>'
    yield _label((left + right) / 2, y + 16, name, "middle")
    yield _label(left - 5, bottom + 4, "0", "end")
    yield _label(left - 5, top + 4, f"{most:,.4g}" if most < 1000 else f"{most:,.0f}", "end")
    yield _label(right, bottom + 14, f"{last / 60:.0f} min", "end")
    for verdict in verdicts:
        times, values = verdict.series("seconds"), verdict.series(name)
        without = [value - meant for value, meant in zip(values, verdict.meant(name), strict=True)]
        for line, dash in ((values, ""), (without, ' stroke-dasharray="3 3"')):
            points = " ".join(
                f"{left + time / last * (right - left):.1f},{bottom - max(0.0, value) / most * (bottom - top):.1f}"
                for time, value in zip(times, line, strict=True)
            )
            color = _COLORS[verdict.scene.name]
            yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"{dash}/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{text}</text>'
