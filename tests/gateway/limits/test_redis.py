"""Limits in Redis keep the contract, and outlive its absence."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis, RedisCluster

from gateway.limits.base import Rate
from gateway.limits.redis import RedisLimiter
from gateway.redis.address import Address
from gateway.redis.link import Script
from tests.gateway.limits.contract import ANN, MODEL, SIXTY, Bench, LimiterContract, takes
from tests.redis_cluster import Nodes
from tests.redis_server import RedisProcess
from tests.system.test_redis_user import make_user
from tests.turning import Turned

Two = tuple[RedisLimiter, RedisLimiter, Turned]


def shift(url: str, prefix: str, seconds: float) -> None:
    """Let Redis' own time pass for all limits of one bench."""
    address = Address.parse(url)
    with RedisCluster(*address.hosts[0]) if address.kind == "cluster" else Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}:limit:*", _type="hash"):
            client.hincrbyfloat(key, "at", -seconds * 1000)
        for key in client.scan_iter(f"{prefix}:slots:*"):
            for holder in client.zrange(key, 0, -1):
                client.zincrby(key, -seconds * 1000, holder)


@asynccontextmanager
async def two(url: str, prefix: str = "hearth") -> AsyncIterator[Two]:
    """Two replicas' limits, and their clock."""
    clock = Turned()
    here, elsewhere = [RedisLimiter(Address.parse(url), clock, prefix=prefix) for _ in range(2)]
    try:
        yield here, elsewhere, clock
    finally:
        for limiter in (here, elsewhere):
            await limiter.close()


class RedisBench:
    """Two replicas on one Redis."""

    @pytest.fixture
    async def bench(self, url: str) -> AsyncIterator[Bench]:
        prefix = f"test-{secrets.token_hex(4)}"
        async with two(url, prefix) as (here, elsewhere, clock):

            def turn(seconds: float) -> None:
                clock.turn(seconds)
                shift(url, prefix, seconds)

            yield Bench(here, elsewhere, turn)

    async def test_the_slots_of_a_dead_replica_lapse(self, bench: Bench) -> None:
        assert await bench.here.hold(MODEL, 2, "gen_a") and await bench.elsewhere.hold(MODEL, 2, "gen_b")
        for _ in range(3):
            bench.turn(4)
            assert not await bench.elsewhere.hold(MODEL, 2, "gen_c")
            await bench.elsewhere.renew()
        bench.turn(4)
        assert await bench.elsewhere.hold(MODEL, 2, "gen_c")
        assert not await bench.elsewhere.hold(MODEL, 2, "gen_d")

    async def test_a_free_slot_is_for_the_key_whose_last_turn_is_longest_ago(self, bench: Bench) -> None:
        assert await bench.here.hold_in_turn(MODEL, 2, "ann_0", "ann")
        assert await bench.here.hold_in_turn(MODEL, 2, "ann_1", "ann")
        for store, holder in ((bench.here, "ann_2"), (bench.elsewhere, "bob_0")):
            assert not await store.hold_in_turn(MODEL, 2, holder, holder[:3])
        await bench.here.release(MODEL, "ann_0")
        assert not await bench.here.hold_in_turn(MODEL, 2, "ann_2", "ann")
        assert await bench.elsewhere.hold_in_turn(MODEL, 2, "bob_0", "bob")
        await bench.here.release(MODEL, "ann_1")
        assert not await bench.elsewhere.hold_in_turn(MODEL, 2, "bob_1", "bob")
        assert await bench.here.hold_in_turn(MODEL, 2, "ann_2", "ann")

    async def test_one_that_waits_holds_up_no_more_slots_than_one(self, bench: Bench) -> None:
        assert await bench.here.hold_in_turn(MODEL, 1, "ann_0", "ann")
        assert not await bench.elsewhere.hold_in_turn(MODEL, 1, "bob_0", "bob")
        assert not await bench.here.hold_in_turn(MODEL, 2, "ann_1", "ann")
        assert await bench.here.hold_in_turn(MODEL, 3, "ann_1", "ann")

    async def test_one_that_waits_and_does_not_come_holds_up_nobody_for_long(self, bench: Bench) -> None:
        assert await bench.here.hold_in_turn(MODEL, 1, "ann_0", "ann")
        assert not await bench.elsewhere.hold_in_turn(MODEL, 1, "bob_0", "bob")
        await bench.here.release(MODEL, "ann_0")
        async with asyncio.timeout(5):
            # The time is that of Redis.
            while not await bench.here.hold_in_turn(MODEL, 1, "ann_1", "ann"):
                pass

    async def test_a_slot_is_left_to_who_goes_on(self, bench: Bench) -> None:
        assert await bench.here.hold(MODEL, 1, "gen_a")
        bench.here.leave(MODEL, "gen_a")
        assert not await bench.here.hold(MODEL, 1, "gen_b")
        assert await bench.elsewhere.hold(MODEL, 0, "gen_a")
        for _ in range(4):
            bench.turn(5)
            for limiter in (bench.here, bench.elsewhere):
                await limiter.renew()
        assert not await bench.here.hold(MODEL, 1, "gen_b")
        await bench.elsewhere.release(MODEL, "gen_a")
        assert await bench.here.hold(MODEL, 1, "gen_b")


class TestRedisLimiter(RedisBench, LimiterContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


class TestClusteredLimiter(RedisBench, LimiterContract):
    @pytest.fixture
    def url(self, redis_cluster: Nodes) -> str:
        return redis_cluster.url


async def test_one_call_takes_from_all_buckets(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, _, _):
        rates = [SIXTY, Rate(MODEL, "requests", 10)]
        await here.take(rates, 1)
        before = redis_server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
        await here.take(rates, 1)
        assert redis_server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == before + 1
        assert sorted(redis_server.ask("KEYS", "*")) == [
            b"hearth:limit:{key:ann}:requests",
            b"hearth:limit:{model:demo}:requests",
        ]


async def test_the_user_of_the_document_may_do_all_that_limits_need(redis_server: RedisProcess) -> None:
    async with two(make_user(redis_server)) as (here, elsewhere, _):
        assert await takes(here, SIXTY)
        await here.settle(ANN, "requests", 1, 0)
        assert await here.hold(MODEL, 1, "gen_a")
        await here.renew()
        assert not await elsewhere.hold_in_turn(MODEL, 1, "gen_b", "ann")
        await here.release(MODEL, "gen_a")
        assert await elsewhere.hold_in_turn(MODEL, 1, "gen_b", "ann")
    assert redis_server.ask("ACL", "LOG") == []


async def test_a_debt_is_not_forgotten(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, _, _):
        assert await takes(here, SIXTY, cost=60 * 300)
        assert redis_server.ask("TTL", "hearth:limit:{key:ann}:requests") > 300 * 60
        await here.settle(ANN, "requests", 0, 60)
        assert redis_server.ask("TTL", "hearth:limit:{key:ann}:requests") > 301 * 60


async def test_without_redis_each_replica_goes_on_from_where_the_limit_stood(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, clock):
        assert await takes(here, SIXTY, cost=40)
        redis_server.kill()
        assert await takes(here, SIXTY, cost=20)
        assert not await takes(here, SIXTY)
        await here.settle(ANN, "requests", 5, 0)
        assert await takes(here, SIXTY, cost=5)
        assert await takes(elsewhere, SIXTY, cost=60)
        clock.turn(60)
        assert await takes(here, SIXTY, cost=60)


async def test_limits_are_shared_again_when_redis_is_back(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, clock):
        await takes(here, SIXTY)
        redis_server.kill()
        assert await takes(here, SIXTY)
        redis_server.restart(keep_data=False)
        clock.turn(1)
        assert await takes(here, SIXTY, cost=60)
        assert not await takes(elsewhere, SIXTY, cost=5)


async def test_slots_are_put_back_when_redis_has_lost_them(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, clock):
        assert await here.hold(MODEL, 3, "gen_a")
        await here.renew()
        redis_server.kill()
        assert await here.hold(MODEL, 3, "gen_b") and await here.hold(MODEL, 3, "gen_c")
        assert not await here.hold(MODEL, 3, "gen_d")
        await here.release(MODEL, "gen_c")
        redis_server.restart(keep_data=False)
        clock.turn(1)
        await here.renew()
        assert await elsewhere.hold(MODEL, 3, "gen_e")
        assert not await elsewhere.hold(MODEL, 3, "gen_f")


async def test_a_redis_that_stands_still_is_waited_for_once(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, _, _):
        with redis_server.frozen():
            assert await takes(here, SIXTY, cost=60)
            async with asyncio.timeout(0.4):
                assert not await takes(here, SIXTY)
                assert await here.hold(MODEL, 1, "gen_a")
                assert not await here.hold(MODEL, 1, "gen_b")
                await here.release(MODEL, "gen_a")


async def test_what_is_given_back_while_redis_is_away_is_told_to_it_when_it_is_back(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, clock):
        assert await takes(here, SIXTY, cost=180) and await takes(here, Rate(MODEL, "tokens", 60))
        assert await here.hold(MODEL, 1, "gen_a")
        redis_server.kill()
        await here.settle(ANN, "requests", 180, 20)
        await here.settle(MODEL, "tokens", 1, 120)
        await here.release(MODEL, "gen_a")
        await here.renew()
        redis_server.restart(keep_data=True)
        assert not await elsewhere.hold(MODEL, 1, "gen_b")
        clock.turn(1)
        await here.renew()
        assert await elsewhere.hold(MODEL, 1, "gen_b")
        [standing] = await elsewhere.take([SIXTY], 1)
        assert standing.remaining == pytest.approx(39, abs=3)
        [standing] = await elsewhere.take([Rate(MODEL, "tokens", 60)], 1)
        assert standing.wait_s == pytest.approx(60, abs=3)
        assert not len(here._backlog)


async def test_what_redis_heard_and_could_not_answer_counts_once(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, clock):
        rate = Rate(ANN, "tokens", 60)
        assert await takes(here, rate, cost=60)
        # From now on Redis knows the script.
        await here.settle(ANN, "tokens", 0, 0)
        with redis_server.frozen():
            await here.settle(ANN, "tokens", 60, 80)
            assert len(here._backlog) == 1
        clock.turn(1)
        await here.renew()
        assert not len(here._backlog)
        [refused] = await elsewhere.take([rate], 1)
        assert refused.wait_s == pytest.approx(21, abs=3)


async def test_what_is_given_back_when_its_run_is_stopped_is_given_back_later(redis_server: RedisProcess) -> None:
    async with two(redis_server.url) as (here, elsewhere, _):
        assert await here.hold(MODEL, 1, "gen_a")
        with redis_server.frozen():
            task = asyncio.create_task(here.release(MODEL, "gen_a"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        await here.renew()
        assert await elsewhere.hold(MODEL, 1, "gen_b")


async def test_a_renewal_that_comes_late_brings_back_nothing(
    redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(redis_server.url) as (here, _, _):
        script = here._link.script

        async def overtaken(what: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            if what is here._renew:
                await here.release(MODEL, "gen_a")
            return await script(what, keys, arguments)

        monkeypatch.setattr(here._link, "script", overtaken)
        assert await here.hold(MODEL, 2, "gen_a") and await here.hold(MODEL, 2, "gen_b")
        await here.renew()
        assert redis_server.ask("ZRANGE", "hearth:slots:{model:demo}", 0, -1) == [b"gen_b"]
