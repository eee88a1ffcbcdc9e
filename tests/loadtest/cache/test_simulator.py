"""What a cache makes of a workload, by hand and by formula."""

from __future__ import annotations

import pytest

from loadtest.cache.simulator import simulate, spared
from loadtest.cache.workload import Ask, Workload


def test_a_trace_by_hand() -> None:
    """A run takes 2 s and is kept for 10 s after it."""
    asks = [
        Ask(0, 1),  # MISS
        Ask(1, 1),  # JOIN: it runs until 2
        Ask(1, 1, namespace=3),  # MISS: another one's
        Ask(1, 2),  # MISS
        Ask(2, 1, deterministic=False),  # BYPASS
        Ask(2, 1),  # HIT
        Ask(11.9, 1),  # HIT: kept until 12
        Ask(12, 1),  # MISS
        Ask(13, 1),  # JOIN
    ]
    counted = simulate(asks, ttl_s=10, answer_s=2)

    assert counted == {"MISS": 4, "JOIN": 2, "HIT": 2, "BYPASS": 1}
    assert spared(counted) == pytest.approx(4 / 9)


def test_nothing_asked_is_nothing_spared() -> None:
    assert spared(simulate([], 10, 1)) == 0


@pytest.mark.parametrize("skew", [0.6, 1.0, 1.4])
def test_long_traces_come_to_what_renewal_theory_has(skew: float) -> None:
    """A question that comes r times a second is spared r(T+D) of 1+r(T+D) times, T its TTL, D its run."""
    workload = Workload(questions=200, skew=skew, rate=5, seconds=4000)
    rates = [share * workload.rate for share in workload.shares()]
    expected = sum(rate * rate * 61 / (1 + rate * 61) for rate in rates) / workload.rate

    assert spared(simulate(workload.asks(), ttl_s=60, answer_s=1)) == pytest.approx(expected, abs=0.02)
