"""Whether something grows. No server."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from loadtest.soak.trend import Bound, slope, trend

TIMES = [30.0 * number for number in range(120)]
"""An hour."""
NOTHING = [0.0] * len(TIMES)


def judged(value: Callable[[float], float], bound: Bound, runs: list[float] | None = None) -> str:
    return trend(bound, TIMES, [value(time) for time in TIMES], bound.meant(runs or NOTHING, NOTHING)).verdict


def test_a_line_has_its_own_slope_and_no_error() -> None:
    found = slope(TIMES, [100 + time / 3600 for time in TIMES])
    assert found.per_hour == pytest.approx(1)
    assert found.error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("per_hour", "verdict"), [(0, "steady"), (9, "steady"), (11, "grows"), (-50, "steady")])
def test_what_grows_by_more_than_its_bound_is_told(per_hour: float, verdict: str) -> None:
    chance = random.Random(1)
    noise = [chance.gauss(0, 0.1) for _ in TIMES]
    assert judged(lambda time: 80 + per_hour * time / 3600 + noise[int(time / 30)], Bound("mb", 10)) == verdict


def test_what_grows_at_first_is_no_growth() -> None:
    """What is loaded, filled and warmed up once."""
    assert judged(lambda time: min(time, 1200), Bound("mb", 10)) == "steady"


def test_noise_is_not_taken_for_growth_nor_hides_that_nothing_is_known() -> None:
    chance = random.Random(3)
    noise = [chance.gauss(0, 200) for _ in TIMES]
    assert judged(lambda time: noise[int(time / 30)], Bound("tasks", 1)) == "unsure"


def test_what_is_remembered_of_each_run_is_no_growth_and_what_is_more_is() -> None:
    runs = [time * 10 for time in TIMES]
    bound = Bound("keys", 100, per_run=1)
    assert judged(lambda time: 500 + time * 10, bound, runs) == "steady"
    assert judged(lambda time: 500 + time * 20, bound, runs) == "grows"


def test_a_short_run_says_nothing_of_an_hour() -> None:
    short = [float(number) for number in range(100)]
    assert math.isinf(slope(short, short).error)
    assert trend(Bound("mb", 10), short, short, short).verdict == "unsure"
