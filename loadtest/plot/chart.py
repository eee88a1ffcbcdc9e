"""Lines and dots over two axes, as SVG. Colours are those of chart.css, so that a picture is light and dark. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple
from xml.etree.ElementTree import Element

from loadtest.markup import as_xml, tag
from loadtest.plot.axis import Axis

STYLE: Final = Path(__file__).with_name("chart.css")
COLORS: Final = 8
_WIDTH: Final = 420
_HEIGHT: Final = 290
_MARGIN: Final = 14
_TITLE_Y: Final = 20
_LEGEND_Y: Final = 42
_ROW: Final = 17
_BELOW: Final = 44
_LETTER: Final = 6.3
"""About as wide as a letter is: who draws SVG cannot ask."""
_SAMPLE: Final = 15
_RADII: Final = {"dot": 4, "ring": 7, "hidden": 5}


class Place(NamedTuple):
    """A value, and the least and the most it was, where it was measured more than once."""

    x: float
    y: float
    least: float = math.nan
    most: float = math.nan


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together. One that is NaN is left out; what has a name is in the legend."""

    name: str
    points: Sequence[Place]
    color: int = 0
    line: Literal["solid", "dashed", "none"] = "solid"
    mark: Literal["dot", "ring", "hidden", "none"] = "dot"
    """A hidden one shows itself to the mouse."""
    told: str = ""
    """What it is called where the mouse is, if not by its name."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture; `band` is a range on the upright axis that is shaded."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    band: tuple[float, float] | None = None

    def svg(self) -> Element:
        """The picture as an element of a page."""
        inside = [*self._heading(), *self._grid(), *(part for each in self.series for part in self._drawn(each))]
        return tag("svg", *inside, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", class_="chart", role="img", aria_label=self.title)

    def _heading(self) -> Iterator[Element]:
        yield tag("text", self.title, x=_MARGIN, y=_TITLE_Y, class_="title")
        for name, color, x, y in self._legend():
            yield tag("rect", x=x, y=y - 9, width=10, height=10, rx=3, class_=f"sample c{color % COLORS}")
            yield tag("text", name, x=x + _SAMPLE, y=y, class_="label")

    def _legend(self) -> Iterator[tuple[str, int, float, float]]:
        """Each name with its colour and its place; a row that is full is followed by another."""
        x, y = float(_MARGIN), float(_LEGEND_Y)
        for each in self.series:
            if not each.name:
                continue
            width = _SAMPLE + len(each.name) * _LETTER + 12
            if x > _MARGIN and x + width > _WIDTH:
                x, y = float(_MARGIN), y + _ROW
            yield each.name, each.color, x, y
            x += width

    def _grid(self) -> Iterator[Element]:
        left, right, _, bottom = self._frame()
        if self.band:
            low, high = map(self._up, self.band)
            yield tag("rect", x=left, y=high, width=right - left, height=low - high, class_="band")
        for value in self.y.ticks:
            y = self._up(value)
            yield tag("path", d=f"M{left:.1f},{y:.1f}H{right:.1f}", class_="grid")
            yield tag("text", self.y.form(value), x=left - 7, y=y + 4, class_="label end")
        yield tag("path", d=f"M{left:.1f},{bottom:.1f}H{right:.1f}", class_="axis")
        for value in self.x.ticks:
            yield tag("text", self.x.form(value), x=self._along(value), y=bottom + 17, class_="label middle")
        yield tag("text", self.x.label, x=(left + right) / 2, y=_HEIGHT - 8, class_="label middle")

    def _drawn(self, series: Series) -> Iterator[Element]:
        ink = f"c{series.color % COLORS}"
        known = [point for point in series.points if math.isfinite(point.x) and math.isfinite(point.y)]
        if series.line != "none" and len(known) > 1:
            places = " ".join(f"{self._along(point.x):.1f},{self._up(point.y):.1f}" for point in known)
            yield tag("polyline", points=places, class_=f"line {ink} {series.line}")
        for point in known:
            x, y = self._along(point.x), self._up(point.y)
            if point.most > point.least:
                ends = f"M{x:.1f},{self._up(point.least):.1f}V{self._up(point.most):.1f}"
                yield tag("path", d=ends, class_=f"spread {ink}")
            if series.mark != "none":
                hint = tag("title", self._told(series, point))
                yield tag("circle", hint, cx=x, cy=y, r=_RADII[series.mark], class_=f"{series.mark} {ink}")

    def _told(self, series: Series, point: Place) -> str:
        value = f"{series.told or series.name}: {self.y.form(point.y)}"
        spread = f" ({self.y.form(point.least)} to {self.y.form(point.most)})" if point.most > point.least else ""
        return f"{value}{spread}, {self.x.label} {self.x.form(point.x)}"

    def _frame(self) -> tuple[float, float, float, float]:
        """Where the plot itself lies: left, right, top, bottom."""
        widest = max(len(self.y.form(value)) for value in self.y.ticks)
        rows = max((y for *_, y in self._legend()), default=float(_TITLE_Y))
        return _MARGIN + 8 + widest * _LETTER, _WIDTH - _MARGIN - 10, rows + 18, _HEIGHT - _BELOW

    def _along(self, x: float) -> float:
        left, right, _, _ = self._frame()
        return left + self.x.at(x) * (right - left)

    def _up(self, y: float) -> float:
        _, _, top, bottom = self._frame()
        return bottom - self.y.at(y) * (bottom - top)


def picture(charts: Sequence[Chart], columns: int = 1) -> str:
    """An SVG file of some charts, so many beside each other."""
    width, height = columns * _WIDTH, math.ceil(len(charts) / columns) * _HEIGHT
    places = [(number % columns * _WIDTH, number // columns * _HEIGHT) for number in range(len(charts))]
    ground = tag("rect", width="100%", height="100%", class_="ground")
    inside = []
    for chart, (x, y) in zip(charts, places, strict=True):
        drawn = chart.svg()
        drawn.attrib |= {"x": str(x), "y": str(y), "width": str(_WIDTH), "height": str(_HEIGHT)}
        inside.append(drawn)
    style = tag("style", STYLE.read_text(encoding="utf-8"))
    size = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "width": str(width)}
    return as_xml(tag("svg", style, ground, *inside, **size))
