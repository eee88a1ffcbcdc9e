"""However a bucket is asked, no more flows than its rate allows."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.base import Rate
from gateway.limits.memory import MemoryLimiter
from tests.gateway.limits.contract import ANN, takes
from tests.turning import Turned

STEPS = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 150), st.integers(0, 150)), max_size=60)
"""Seconds that pass, what is asked then, and what of it turns out to be used."""


@given(st.integers(1, 100), STEPS)
def test_no_more_is_taken_than_a_minutes_worth_and_what_flowed_back(
    per_minute: int, steps: list[tuple[float, int, int]]
) -> None:
    asyncio.run(play(per_minute, steps))


async def play(per_minute: int, steps: list[tuple[float, int, int]]) -> None:
    clock = Turned(0.0)
    limiter, rate = MemoryLimiter(clock), Rate(ANN, "tokens", per_minute)
    gone = debt = 0
    for seconds, cost, used in steps:
        clock.turn(seconds)
        if await takes(limiter, rate, cost=cost):
            await limiter.settle(ANN, "tokens", cost, used)
            gone += used
            # What is larger than the bucket may leave one, and what was used beyond what was taken.
            debt = max(debt, used - min(cost, per_minute))
        assert gone <= per_minute + clock.now * per_minute / 60 + debt + 1e-3
