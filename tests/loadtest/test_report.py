"""Figures are what the outcomes say."""

from __future__ import annotations

import json
import math
from array import array

import pytest

from loadtest.processes import Process
from loadtest.report import HEAD, Figures, Load, Spread, cells, percentile, table
from loadtest.stream import Outcome


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentiles_are_by_nearest_rank(part: float, value: float) -> None:
    """A percentile is a value that was measured."""
    assert percentile([*range(100, 0, -1)], part) == value


def test_figures_count_tokens_and_price_them_in_cpu() -> None:
    """Failed requests count as errors, their tokens as work that was done."""
    outcomes = [
        Outcome(first=0.1, total=1.0, gaps=array("f", [0.5]), events=60, tokens=100),
        Outcome(first=0.3, total=2.0, gaps=array("f", [0.25]), events=40, tokens=100),
        Outcome(first=9.9, total=9.9, events=50, error="cut_off"),
    ]
    processes = [Process(1, "front", True, 0.25, 100), Process(2, "EngineCore", False, 0.75, 900)]
    figures = Figures.of(outcomes, seconds=2, load=Load(0.5, 2.5), processes=processes)

    assert (figures.requests, figures.errors, figures.tokens) == (3, {"cut_off": 1}, 250)
    assert (figures.tokens_per_second, figures.events_per_request) == (125, 50)
    assert (figures.client_share, figures.others_share) == (0.25, 0.5)
    assert (figures.front_us_per_token, figures.total_us_per_token, figures.megabytes) == (1000, 4000, 1000)
    assert (figures.first.p50, figures.first.most, figures.gap) == (100, 300, Spread(250, 500, 500, 500))


def test_what_could_not_be_measured_is_null() -> None:
    """JSON knows no NaN."""
    figures = Figures.of([Outcome(error="no_answer")], seconds=1, load=Load(0, 0))

    assert math.isnan(figures.front_us_per_token)
    assert json.loads(json.dumps(figures.as_json(), allow_nan=False))["first"]["p50"] is None
    assert len(cells(figures)) == len(HEAD)


def test_a_table_lines_up() -> None:
    """It reads as Markdown and as it is."""
    assert table(["a", "long"], [["1", "2"], ["333", "4"]]).splitlines() == [
        "| a   | long |",
        "| --- | ---- |",
        "| 1   | 2    |",
        "| 333 | 4    |",
    ]
