"""What every store of limits must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.limits.base import Limiter, Rate, Subject

ANN, BOB, MODEL = Subject("key", "ann"), Subject("key", "bob"), Subject("model", "demo")
SIXTY = Rate(ANN, "requests", 60)


@dataclass
class Bench:
    """One store, seen from two replicas if it can be; `turn` lets seconds pass."""

    here: Limiter
    elsewhere: Limiter
    turn: Callable[[float], None]


async def takes(limiter: Limiter, *rates: Rate, cost: int = 1) -> bool:
    return not any(standing.wait_s for standing in await limiter.take(rates, cost))


class LimiterContract:
    async def test_a_minutes_worth_may_be_taken_at_once_and_no_more(self, bench: Bench) -> None:
        for left in (40, 20, 0):
            [standing] = await bench.here.take([SIXTY], 20)
            # A second may pass meanwhile.
            assert standing.remaining in (left, left + 1) and standing.wait_s == 0
            assert standing.reset_s == pytest.approx(60 - left, abs=1)
        [refused] = await bench.elsewhere.take([SIXTY], 20)
        assert refused.wait_s == pytest.approx(20, abs=1) and refused.remaining <= 1

    async def test_what_was_taken_flows_back_evenly(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY, cost=60)
        bench.turn(10)
        assert await takes(bench.elsewhere, SIXTY, cost=10)
        assert not await takes(bench.here, SIXTY, cost=5)
        bench.turn(100)
        [standing] = await bench.here.take([SIXTY], 1)
        assert standing.remaining == 59

    async def test_fractions_add_up(self, bench: Bench) -> None:
        odd = Rate(ANN, "tokens", 700_003)
        for _ in range(7):
            assert await takes(bench.here, odd, cost=100_000)
            bench.turn(0.001)
        assert not await takes(bench.here, odd, cost=100_000)

    async def test_it_fits_when_the_time_that_was_told_is_over(self, bench: Bench) -> None:
        for per_minute in (7, 13, 97):
            rate = Rate(Subject("key", f"of {per_minute}"), "tokens", per_minute)
            await takes(bench.here, rate, cost=per_minute)
            for cost in (1, 3, 5, 7):
                [refused] = await bench.here.take([rate], cost)
                bench.turn(refused.wait_s)
                assert await takes(bench.elsewhere, rate, cost=cost)

    async def test_all_is_taken_or_nothing(self, bench: Bench) -> None:
        small = Rate(MODEL, "requests", 3)
        for _ in range(3):
            assert await takes(bench.here, SIXTY, small)
        for _ in range(5):
            refusing = [each for each in await bench.elsewhere.take([SIXTY, small], 1) if each.wait_s]
            assert [each.rate for each in refusing] == [small]
            assert refusing[0].wait_s == pytest.approx(20, abs=1)
        [standing] = await bench.here.take([SIXTY], 1)
        assert standing.remaining in (56, 57)

    async def test_buckets_do_not_meet(self, bench: Bench) -> None:
        for rate in (SIXTY, Rate(BOB, "requests", 60), Rate(ANN, "tokens", 60), Rate(MODEL, "requests", 60)):
            assert await takes(bench.here, rate, cost=60)

    async def test_what_is_larger_than_the_bucket_fits_a_full_one_and_leaves_a_debt(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY)
        [refused] = await bench.here.take([SIXTY], 180)
        assert refused.wait_s == pytest.approx(1, abs=0.5)
        bench.turn(1)
        assert await takes(bench.elsewhere, SIXTY, cost=180)
        [refused] = await bench.here.take([SIXTY], 1)
        assert refused.remaining == 0 and refused.wait_s == pytest.approx(121, abs=1)
        bench.turn(122)
        assert await takes(bench.here, SIXTY)

    async def test_no_cost_shuts_anybody_out_for_ever(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY, cost=9 * 10**18)
        [refused] = await bench.elsewhere.take([SIXTY], 1)
        assert refused.wait_s == pytest.approx(6 * 3600 - 59, abs=1)
        await bench.here.settle(ANN, "requests", 9 * 10**18, 20)
        [standing] = await bench.elsewhere.take([SIXTY], 1)
        assert standing.remaining in (39, 40)
        await bench.here.settle(ANN, "requests", 0, 9 * 10**18)
        bench.turn(6 * 3600)
        assert await takes(bench.here, SIXTY)

    async def test_what_was_not_used_is_given_back(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY, cost=60)
        await bench.elsewhere.settle(ANN, "requests", 50, 0)
        [standing] = await bench.here.take([SIXTY], 1)
        assert standing.remaining in (49, 50)

    async def test_no_more_is_given_back_than_fits(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY, cost=30)
        bench.turn(60)
        await bench.here.settle(ANN, "requests", 30, 0)
        [standing] = await bench.here.take([SIXTY], 1)
        assert standing.remaining == 59

    async def test_what_was_used_beyond_that_is_a_debt_long_after_it_was_taken(self, bench: Bench) -> None:
        assert await takes(bench.here, SIXTY)
        bench.turn(600)
        await bench.elsewhere.settle(ANN, "requests", 0, 90)
        [refused] = await bench.here.take([SIXTY], 1)
        assert refused.wait_s == pytest.approx(31, abs=1)

    async def test_to_give_where_nothing_was_taken_does_nothing(self, bench: Bench) -> None:
        await bench.here.settle(BOB, "tokens", 0, 50)
        assert await takes(bench.here, Rate(BOB, "tokens", 10), cost=10)

    async def test_of_many_who_take_at_once_as_many_get_it_as_there_is(self, bench: Bench) -> None:
        slow = Rate(ANN, "requests", 6)
        told = await asyncio.gather(*(takes(store, slow) for store in [bench.here, bench.elsewhere] * 50))
        assert sum(told) == 6

    async def test_there_are_so_many_slots_and_no_more(self, bench: Bench) -> None:
        held = await asyncio.gather(
            *(store.hold(MODEL, 7, f"gen_{index}") for index, store in enumerate([bench.here, bench.elsewhere] * 20))
        )
        assert sum(held) == 7

    async def test_a_slot_given_back_is_free(self, bench: Bench) -> None:
        assert await bench.here.hold(MODEL, 1, "gen_a")
        assert not await bench.elsewhere.hold(MODEL, 1, "gen_b")
        await bench.here.release(MODEL, "gen_a")
        assert await bench.elsewhere.hold(MODEL, 1, "gen_b")

    async def test_whoever_has_a_slot_keeps_it(self, bench: Bench) -> None:
        assert not await bench.elsewhere.hold(MODEL, 0, "gen_a")
        assert await bench.here.hold(MODEL, 1, "gen_a")
        assert await bench.here.hold(MODEL, 1, "gen_a")
        assert await bench.elsewhere.hold(MODEL, 0, "gen_a")
        assert not await bench.here.hold(MODEL, 1, "gen_b")

    async def test_nobody_gives_back_what_another_has(self, bench: Bench) -> None:
        assert await bench.here.hold(MODEL, 1, "gen_a")
        for store in (bench.here, bench.elsewhere):
            await store.release(MODEL, "gen_b")
            await store.release(ANN, "gen_a")
        assert not await bench.here.hold(MODEL, 1, "gen_c")

    async def test_a_renewed_slot_does_not_lapse(self, bench: Bench) -> None:
        assert await bench.here.hold(MODEL, 1, "gen_a")
        for _ in range(10):
            bench.turn(5)
            await bench.here.renew()
        assert not await bench.here.hold(MODEL, 1, "gen_b")
        assert not await bench.elsewhere.hold(MODEL, 1, "gen_b")
