"""The policies as a picture: for each town, who met a cold engine over the warm hours paid. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loadtest.plot.axis import Axis, linear
from loadtest.plot.chart import Chart, Place, Series, picture
from loadtest.warmth.judging import Judged
from loadtest.warmth.simulator import Outcome

_DAYS_H: Final = [24.0 * day for day in range(8)]
_LEARNED: Final = "learned hours"
_COLORS: Final = {"fixed hours": 1, _LEARNED: 0, "always on": 7, "on demand": 2}


def svg(results: Sequence[Judged]) -> str:
    """An SVG file: lines are learned hours of each ceiling, dots the policies."""
    return picture([_panel(result) for result in results], columns=2)


def _panel(result: Judged) -> Chart:
    def place(outcome: Outcome) -> Place:
        return Place(result.hours(outcome), outcome.share)

    ceilings = Series("", [place(each) for each in result.curve.values()], _COLORS[_LEARNED], "dashed", "none")
    policies = [Series(name, [place(outcome)], _COLORS[name], line="none") for name, outcome in result.outcomes.items()]
    shares = [outcome.share for outcome in [*result.outcomes.values(), *result.curve.values()]]
    return Chart(
        f"{result.town}: people who met a cold engine",
        Axis("warm hours paid a week", 0.0, _DAYS_H[-1], _DAYS_H, "{:.0f}".format),
        linear("", shares, "{:.0%}".format),
        [ceilings, *policies],
    )
