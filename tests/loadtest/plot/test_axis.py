"""Which values an axis spans, and what it says of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from loadtest.plot.axis import Axis, fitting, linear, number, percentiles, steps


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (0.25, "0.25"), (17.34, "17.3"), (1250, "1,250"), (24_000, "24k"), (1e6, "1,000k")]
)
def test_numbers_are_short(value: float, told: str) -> None:
    assert number(value) == told


def test_a_linear_axis_begins_at_zero_and_ends_round() -> None:
    axis = linear("tokens", [3.0, math.nan, 870.0])
    assert axis.ticks == [0, 200, 400, 600, 800, 1000]
    assert [axis.at(value) for value in (0, 500, 1000)] == [0, 0.5, 1]


def test_an_axis_over_many_sizes_gives_each_factor_the_same_room() -> None:
    axis = fitting("ms", [0.0, 3.0, math.nan, 700.0])
    assert axis.ticks == [2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert axis.at(20) - axis.at(2) == pytest.approx(axis.at(200) - axis.at(20))


def test_what_is_beyond_an_axis_stands_at_its_end() -> None:
    """A clock of a hundred ticks a second may have seen no CPU at all, which has no logarithm."""
    axis = fitting("us", [0.0, 3.0, 700.0])
    assert (axis.at(0), axis.at(5000)) == (0, 1)


def test_one_over_very_many_labels_decades() -> None:
    assert fitting("ms", [0.02, 9000.0]).ticks == [0.1, 1, 10, 100, 1000, 10000]


def test_values_of_one_size_begin_at_zero() -> None:
    """What differs little shall look so."""
    assert fitting("ms", [300.0, 350.0]).ticks == [0, 100, 200, 300, 400]


def test_steps_are_labelled_where_something_was_measured() -> None:
    axis = steps("streams", [128, 1, 32, 32], lambda streams: f"{streams:g}")
    assert [axis.form(tick) for tick in axis.ticks] == ["1", "32", "128"]
    assert (axis.at(1), axis.at(128)) == (0, 1)


def test_a_single_step_stands_in_the_middle() -> None:
    assert steps("streams", [8]).at(8) == 0.5


def test_each_nine_has_the_same_room() -> None:
    axis = percentiles("share")
    assert [axis.at(share) for share in (0, 90, 99, 99.9)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("make", [linear, fitting, steps])
def test_nothing_measured_is_still_an_axis(make: Callable[[str, list[float]], Axis]) -> None:
    axis = make("nothing", [])
    assert axis.ticks and all(0 <= axis.at(tick) <= 1 for tick in axis.ticks)
