"""How the guard judges. No server."""

from __future__ import annotations

import pytest

from loadtest.guard.scenes import Scene, Turn, Verdict, middle

SCENE = Scene("one", shared=False, readers=1, frames=1, token_ms=0, seen=(3, 4), limit=5)


def verdict(hearth: list[float], floor: list[float]) -> Verdict:
    return Verdict(SCENE, [Turn(1, cost) for cost in hearth], [Turn(1, cost) for cost in floor])


@pytest.mark.parametrize(
    ("hearth", "floor", "ratio"),
    [
        ([40, 90, 41], [10, 10, 10], 4.0),  # one of ours was disturbed
        ([40, 40, 40], [10, 2, 10], 4.0),  # one of the floor's was: 20 by the best turns
        ([40, 80, 80], [10, 10, 20], 4.0),  # some of both were
        ([80, 80, 80], [10, 10, 10], 8.0),
    ],
)
def test_noise_in_some_rounds_does_not_count(hearth: list[float], floor: list[float], ratio: float) -> None:
    assert verdict(hearth, floor).ratio == ratio


@pytest.mark.parametrize(("cost", "failed"), [(50, False), (51, True)])
def test_more_than_the_limit_fails(cost: float, failed: bool) -> None:
    assert verdict([cost, cost], [10, 10]).failed == failed


def test_the_rounds_are_told_by_their_middle_and_their_ends() -> None:
    assert middle([4.0, 1.0, 2.04]) == "2.0 (1.0..4.0)"
