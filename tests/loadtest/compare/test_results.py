"""Ratios are those of runs beside each other, and tables say them."""

from __future__ import annotations

import json
import math

import pytest

from loadtest.compare.results import FIRST_P50, FRONT, SPEED, Middle, Results, Turn
from loadtest.compare.tables import errors, ratios, runs, text, warnings
from tests.loadtest.measured import beside, figures, results, unmeasured


def test_a_ratio_is_of_two_runs_of_one_round() -> None:
    """The medians of both would be 1; each round by itself says otherwise."""
    told = results(
        Turn("a", 1, 1, figures(100)),
        Turn("b", 1, 1, figures(200)),
        Turn("b", 1, 2, figures(50)),
        Turn("a", 1, 2, figures(200)),
        Turn("a", 1, 3, figures(300)),
        Turn("b", 1, 3, figures(100)),
    )
    assert told.against == "b"
    assert told.ratio("a", 1, SPEED) == Middle(3.0, 0.5, 4.0)
    assert told.ratio("a", 1, SPEED).text() == "3.00 (0.50..4.00)"


def test_a_round_that_one_of_them_lacks_has_no_ratio() -> None:
    told = results(Turn("a", 1, 1, figures(100)), Turn("a", 1, 2, figures(900)), Turn("b", 1, 1, figures(100)))
    assert told.ratio("a", 1, SPEED) == Middle(1.0, 1.0, 1.0)


def test_what_was_not_measured_has_no_ratio() -> None:
    """And what was measured in one round only has that one's."""
    told = results(
        Turn("a", 1, 1, unmeasured()),
        Turn("b", 1, 1, figures()),
        Turn("a", 1, 2, figures(first_s=0.2)),
        Turn("b", 1, 2, figures(first_s=0.1)),
    )
    assert told.ratio("a", 1, FIRST_P50).median == pytest.approx(2, rel=0.01)
    assert math.isnan(results(Turn("a", 1, 1, unmeasured()), Turn("b", 1, 1, unmeasured())).ratio("a", 1, FRONT).median)
    assert Middle.of([math.nan]).text() == "-"


def test_the_servers_stand_in_the_order_of_the_first_round() -> None:
    told = results(Turn("b", 1, 2, figures()), Turn("a", 1, 1, figures()), Turn("b", 1, 1, figures()))
    assert told.names == ["a", "b"]


def test_the_run_in_the_table_is_one_that_was() -> None:
    told = results(*(Turn("a", 1, number, figures(speed)) for number, speed in enumerate((300, 100, 200), 1)))
    assert runs(told).rows[0][2] == "200"
    assert runs(told).title == "The run with the middle speed of 3 rounds"


def test_every_server_is_measured_against_one() -> None:
    told = text(beside(["hearth", "relay", "vllm"]))
    assert "hearth/vllm, median" in told and "relay/vllm, median" in told and "vllm/vllm" not in told
    assert "(!)" not in told


def test_a_level_that_says_less_than_it_seems_to_is_marked() -> None:
    """With the reason below the tables, each once."""
    told = results(
        Turn("a", 1, 1, figures()),
        Turn("b", 1, 1, figures()),
        Turn("a", 8, 1, figures()),
        Turn("b", 8, 1, figures(client=0.95)),
    )
    assert [row[0] for row in runs(told).rows] == ["1", "1", "8 (!)", "8 (!)"]
    assert [row[0] for row in ratios(told, "a").rows] == ["1", "8 (!)"]
    [warning] = warnings(told)
    assert warning.startswith("b, 8 streams at a time, round 1: The load generator was the bottleneck")
    assert f"(!) {warning}" in text(told)


def test_what_several_rounds_warn_of_is_said_once() -> None:
    turns = [Turn("a", 1, 1, figures(client=0.9)), Turn("a", 1, 2, figures()), Turn("a", 1, 3, figures(client=0.95))]
    [warning] = warnings(results(*turns))
    assert warning.startswith("a, 1 stream at a time, round 1, 3: ") and "90 % of a core" in warning


def test_errors_are_counted_by_code() -> None:
    told = results(
        Turn("a", 1, 1, figures(errors={"429 rate_limited": 2})),
        Turn("a", 1, 2, figures(errors={"429 rate_limited": 1, "cut_off": 1})),
        Turn("b", 1, 1, figures()),
    )
    assert errors(told).rows == [["a", "1", "429 rate_limited", "3"], ["a", "1", "cut_off", "1"]]
    assert told.failed and not beside(["a", "b"]).failed


def test_results_come_back_from_json_as_they_were() -> None:
    told = results(Turn("a", 1, 1, unmeasured()), Turn("b", 1, 1, figures()), versions={"a": {"hearth": "1"}})
    again = Results.from_json(json.loads(json.dumps(told.as_json(), allow_nan=False)))
    assert text(again) == text(told)
    assert (again.machine, again.versions, again.command, again.against) == (
        told.machine,
        told.versions,
        told.command,
        told.against,
    )
