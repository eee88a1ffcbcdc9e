"""The curve as a picture: a line for each skew over the TTL, and the band that is usually claimed. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from loadtest.cache.curve import CLAIM, SKEWS, TTLS, Point

_WIDTH: Final = 640
_HEIGHT: Final = 400
_LEFT: Final = 50
_RIGHT: Final = 560
_TOP: Final = 20
_BOTTOM: Final = 350
_COLORS: Final = ("#440154", "#3b528b", "#21918c", "#5ec962", "#c9a200")


def svg(simulated: Mapping[Point, float], replayed: Mapping[Point, float]) -> str:
    """An SVG file; what was replayed is marked by rings."""
    parts = [_band(), *_grid()]
    for skew, color in zip(SKEWS, _COLORS, strict=True):
        places = [(_x(ttl), _y(simulated[Point(skew, ttl)])) for ttl in TTLS]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(_label(_RIGHT + 8, places[-1][1] + 4, f"skew {skew:g}", "start"))
    for point, share in replayed.items():
        parts.append(f'<circle cx="{_x(point.ttl_s):.1f}" cy="{_y(share):.1f}" r="5" fill="none" stroke="#d00"/>')
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    ground = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


def _band() -> str:
    low, high = CLAIM
    height = _y(low) - _y(high)
    return f'<rect x="{_LEFT}" y="{_y(high):.1f}" width="{_RIGHT - _LEFT}" height="{height:.1f}" fill="#eee"/>'


def _grid() -> list[str]:
    shares = [_label(_LEFT - 6, _y(share / 100) + 4, f"{share} %", "end") for share in range(0, 101, 20)]
    ttls = [_label(_x(ttl), _BOTTOM + 18, f"{ttl:g} s", "middle") for ttl in TTLS]
    title = _label((_LEFT + _RIGHT) / 2, _HEIGHT - 10, "time to live; hits and joins of all asks", "middle")
    frame = f'<path d="M{_LEFT},{_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#333"/>'
    return [frame, *shares, *ttls, title]


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{text}</text>'


def _x(ttl_s: float) -> float:
    first, last = math.log(TTLS[0]), math.log(TTLS[-1])
    return _LEFT + (math.log(ttl_s) - first) / (last - first) * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)
