"""What a chart draws, and what it leaves out."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from loadtest.plot.axis import linear
from loadtest.plot.chart import Chart, Place, Series, picture


def chart(*series: Series) -> Chart:
    axis = linear("streams", [10.0])
    return Chart("tokens <each> second", axis, axis, series)


def test_a_name_is_text_whatever_it_says() -> None:
    file = picture([chart(Series("<script>alert(1)</script>", [Place(1, 1)]))])
    drawn = ElementTree.fromstring(file)
    assert "<script" not in file and drawn.find(".//{*}script") is None
    assert "<script>alert(1)</script>" in [label.text for label in drawn.iterfind(".//{*}text")]


def test_what_was_not_measured_is_left_out() -> None:
    drawn = chart(Series("a", [Place(1, 1), Place(2, math.nan), Place(3, 3)])).svg()
    line = drawn.find(".//polyline")
    assert line is not None and len(line.attrib["points"].split()) == 2
    assert len(drawn.findall(".//circle")) == 2 and "nan" not in ElementTree.tostring(drawn, encoding="unicode")


def test_a_single_point_is_a_dot_and_no_line() -> None:
    drawn = chart(Series("a", [Place(1, 1)])).svg()
    assert drawn.find(".//polyline") is None and len(drawn.findall(".//circle")) == 1


def test_a_point_says_what_it_is_and_how_it_spread() -> None:
    drawn = chart(Series("hearth", [Place(8, 5, least=4, most=7)])).svg()
    assert drawn.findtext(".//circle/title") == "hearth: 5 (4 to 7), streams 8"
    assert drawn.find(".//path[@class='spread c0']") is not None


def test_a_full_legend_goes_on_in_the_next_row() -> None:
    names = [f"server number {number}" for number in range(6)]
    drawn = chart(*(Series(name, [Place(1, 1)]) for name in names)).svg()
    labels = {label.text: label.attrib for label in drawn.iterfind(".//text") if label.text in names}
    assert len(labels) == 6 and len({label["y"] for label in labels.values()}) > 1
    assert all(float(label["x"]) < 400 for label in labels.values())


def test_charts_stand_beside_each_other() -> None:
    drawn = ElementTree.fromstring(picture([chart(), chart(), chart()], columns=2))
    places = [(part.attrib["x"], part.attrib["y"]) for part in drawn.iterfind("{*}svg")]
    assert len(set(places)) == 3 and {x for x, _ in places} == {"0", "420"}
