"""Requests come when they were meant to, and at the same times for the same seed."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from loadtest.arrivals import Bursts, Closed, Open, Poisson, Ramp, Recorded


def times(arrivals: Open, count: int, seed: int = 0) -> list[float]:
    return list(islice(arrivals.times(seed), count))


@pytest.mark.parametrize("arrivals", [Poisson(20), Ramp(5, 50, 10), Ramp(50, 5, 10), Bursts(3, 0.5)])
def test_the_same_seed_gives_the_same_times(arrivals: Open) -> None:
    """And time never goes backwards."""
    came = times(arrivals, 2000)

    assert came == times(arrivals, 2000)
    assert came[0] == 0
    assert all(earlier <= later for earlier, later in pairwise(came))


def test_poisson_arrivals_come_at_the_asked_rate() -> None:
    """On average, with gaps as irregular as chance makes them."""
    came = times(Poisson(20), 5000)
    gaps = [later - earlier for earlier, later in pairwise(came)]

    assert came[-1] == pytest.approx(5000 / 20, rel=0.05)
    assert sum(gap > 1 / 20 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.03)
    assert times(Poisson(20), 10, seed=1) != came[:10]


def test_a_burst_is_at_once() -> None:
    """So many every so many seconds."""
    assert times(Bursts(3, 0.5), 7) == [0, 0, 0, 0.5, 0.5, 0.5, 1.0]


@pytest.mark.parametrize(("low", "high"), [(10, 90), (90, 10), (50, 50)])
def test_a_ramp_goes_from_one_rate_to_the_other_and_stays(low: float, high: float) -> None:
    """Half of its time, half of the way."""
    came = times(Ramp(low, high, 100), 12_000)

    def within(start: float, stop: float) -> float:
        return sum(start <= at < stop for at in came) / (stop - start)

    assert within(0, 10) == pytest.approx(low + (high - low) * 0.05, rel=0.15)
    assert within(45, 55) == pytest.approx((low + high) / 2, rel=0.15)
    assert within(100, 140) == pytest.approx(high, rel=0.15)


def test_a_record_is_replayed() -> None:
    """Whatever the seed."""
    assert times(Recorded((0.0, 0.5, 2.0)), 9, seed=5) == [0.0, 0.5, 2.0]


@pytest.mark.parametrize(
    ("arrivals", "words"),
    [
        (Closed(8), "closed loop, 8 at a time"),
        (Closed(8, 0.5), "closed loop, 8 at a time, 0.5 s to think"),
        (Poisson(2.5), "open loop, Poisson, 2.5 a second"),
        (Bursts(9, 2), "open loop, bursts of 9 every 2 s"),
        (Ramp(1, 9, 30), "open loop, from 1 to 9 a second over 30 s"),
        (Recorded((0.0, 4.0)), "open loop, 2 requests as recorded, over 4 s"),
    ],
)
def test_a_result_says_how_its_requests_came(arrivals: object, words: str) -> None:
    """In words."""
    assert str(arrivals) == words
