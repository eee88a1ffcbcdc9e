"""The curve as a picture: a line for each skew over the TTL, and the band that is usually claimed. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.cache.curve import CLAIM, SKEWS, TTLS, Point
from loadtest.plot import axis
from loadtest.plot.chart import Chart, Place, Series, picture


def svg(simulated: Mapping[Point, float], replayed: Mapping[Point, float]) -> str:
    """An SVG file; what was replayed is marked by rings."""
    curves = [
        Series(f"skew {skew:g}", [Place(ttl, simulated[Point(skew, ttl)]) for ttl in TTLS], color)
        for color, skew in enumerate(SKEWS)
    ]
    rings = [
        Series("", [Place(point.ttl_s, share)], len(SKEWS), line="none", mark="ring", told="replayed")
        for point, share in replayed.items()
    ]
    across = axis.steps("time to live", TTLS, lambda ttl: f"{ttl:g} s")
    up = axis.linear("", [1.0], lambda share: f"{share:.0%}")
    return picture([Chart("Hits and joins of all asks", across, up, [*curves, *rings], CLAIM)])
