"""A histogram keeps three digits of every time, and loses none."""

from __future__ import annotations

import json
import math
import random

import pytest

from loadtest.histogram import Histogram


@pytest.mark.parametrize("percentile", [0, 1, 50, 90, 99, 99.9, 100])
def test_percentiles_are_the_nearest_rank_to_three_digits(percentile: float) -> None:
    """As if all times had been kept and sorted."""
    chance = random.Random(7)
    times = [chance.lognormvariate(-5, 2) for _ in range(5000)]
    rank = max(1, math.ceil(percentile / 100 * len(times)))

    assert Histogram(times).at(percentile) == pytest.approx(sorted(times)[rank - 1], rel=1e-3)


def test_the_longest_time_is_exact() -> None:
    """It is no bucket's, and no percentile is longer."""
    kept = Histogram([0.1, 0.20001])

    assert (kept.max, kept.at(100), kept.at(99.9)) == (0.20001, 0.20001, 0.20001)
    assert kept.mean == pytest.approx(0.150005)


def test_histograms_of_several_processes_are_one() -> None:
    """Added up, they are what one would have been."""
    times = [random.Random(1).expovariate(100) for _ in range(999)]
    parts = Histogram()
    for start in range(3):
        parts.add(Histogram(times[start::3]))

    assert parts.as_json()["buckets"] == Histogram(times).as_json()["buckets"]
    assert (parts.count, parts.max) == (999, max(times))


def test_a_histogram_is_the_same_after_json() -> None:
    """What is told is all that is known."""
    kept = Histogram([0.001, 0.5, 0.5])
    again = Histogram.from_json(json.loads(json.dumps(kept.as_json())))

    assert again.as_json() == kept.as_json()
    assert again.at(50) == pytest.approx(0.5, rel=1e-3)


def test_nothing_measured_is_not_a_number() -> None:
    """And still JSON."""
    empty = Histogram()

    assert all(math.isnan(value) for value in (empty.at(50), empty.mean, empty.max))
    assert json.loads(json.dumps(empty.as_json(), allow_nan=False))["count"] == 0


@pytest.mark.parametrize(("seconds", "kept"), [(0.0, 1e-6), (-1.0, 1e-6), (7200.0, 3600.0)])
def test_what_is_beyond_its_range_is_at_its_ends(seconds: float, kept: float) -> None:
    """A clock's tick back is no crash."""
    many = Histogram([seconds, 10_000.0])

    assert many.at(50) == pytest.approx(kept, rel=1e-3)


def test_it_stays_small() -> None:
    """A hundred thousand times cost no more than their buckets."""
    kept = Histogram()
    kept.record(0.01, count=100_000)

    assert (kept.count, len(kept.as_json()["buckets"])) == (100_000, 1)
