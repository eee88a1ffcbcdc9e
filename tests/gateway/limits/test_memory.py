"""Limits in memory keep the contract, and are bounded."""

from __future__ import annotations

import pytest

from gateway.limits.base import Rate, Subject
from gateway.limits.memory import KEEP_S, MemoryLimiter
from tests.gateway.limits.contract import MODEL, SIXTY, Bench, LimiterContract, takes
from tests.turning import Turned


class TestMemoryLimiter(LimiterContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = Turned()
        limiter = MemoryLimiter(clock)
        return Bench(limiter, limiter, clock.turn)


async def test_buckets_not_used_for_long_are_let_go_of() -> None:
    clock = Turned()
    limiter = MemoryLimiter(clock)
    for index in range(6):
        await limiter.take([Rate(Subject("key", f"k{index}"), "requests", 60)], 1)
        clock.turn(KEEP_S / 4)
    assert len(limiter._buckets) == 5


async def test_a_debt_is_not_forgotten() -> None:
    clock = Turned()
    limiter = MemoryLimiter(clock)
    assert await takes(limiter, SIXTY, cost=60 * 300)
    clock.turn(2 * KEEP_S)
    assert not await takes(limiter, SIXTY)


async def test_slots_given_back_leave_no_trace() -> None:
    limiter = MemoryLimiter(Turned())
    assert await limiter.hold(MODEL, 2, "gen_a") and await limiter.hold(MODEL, 2, "gen_b")
    await limiter.release(MODEL, "gen_a")
    assert limiter.held == {MODEL: {"gen_b"}}
    await limiter.release(MODEL, "gen_b")
    assert not limiter.held
