"""Answers in Redis keep the contract, on one server and on a Cluster, and outlive its absence."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
import redis

from cache.base import Unavailable
from cache.redis import RedisCache
from gateway.redis.address import Address
from gateway.redis.lending import Lent
from gateway.redis.link import Link
from tests.cache.contract import ANNS, ANY, CLAIM_S, MOST_BYTES, Bench, CacheContract, answered
from tests.redis_cluster import cluster
from tests.redis_server import redis_process
from tests.turning import Turned


def lent(url: str) -> Lent:
    return Lent(Link("cache", Address.parse(url).client(connections=2, timeout_s=1.0), monotonic, 1.0))


@asynccontextmanager
async def benched(url: str, shift: redis.Redis) -> AsyncIterator[Bench]:
    clock, prefix = Turned(), f"test-{secrets.token_hex(4)}"
    here, elsewhere = [
        RedisCache(lent(url), MOST_BYTES, prefix=prefix, claim_s=CLAIM_S, sweep_s=0, clock=clock) for _ in range(2)
    ]

    def turn(seconds: float) -> None:
        """Let time pass for the index, and Redis' own for every entry."""
        clock.turn(seconds)
        for key in shift.scan_iter(f"{prefix}:cached:*"):
            for field in shift.hkeys(key):
                if str(field).rstrip("'").endswith(("since", "until")):
                    shift.hincrby(key, field, -round(seconds * 1000))
            shift.pexpire(key, round(shift.pttl(key) - seconds * 1000))

    yield Bench(here, elsewhere, turn)
    for cache in (here, elsewhere):
        await cache.close()


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        with redis.Redis.from_url(redis_url) as shift:
            async with benched(redis_url, shift) as bench:
                yield bench


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[str]:
    with cluster() as nodes:
        yield nodes.url


class TestRedisClusterCache(CacheContract):
    @pytest.fixture
    async def bench(self, three_nodes: str) -> AsyncIterator[Bench]:
        hosts = three_nodes.removeprefix("redis+cluster://").split(",")
        with redis.RedisCluster.from_url(f"redis://{hosts[0]}") as shift:
            async with benched(three_nodes, shift) as bench:
                yield bench


async def test_an_absent_redis_is_said_in_the_caches_own_words_and_a_returned_one_serves_again() -> None:
    with redis_process() as server:
        cache = RedisCache(lent(server.url), MOST_BYTES, claim_s=CLAIM_S, sweep_s=0)
        await answered(cache, "k")
        server.kill()
        with pytest.raises(Unavailable):
            await cache.claim("k", "gen_b", ANY, ANNS)
        await cache.sweep()
        server.start()
        held = await cache.claim("k", "gen_b", ANY, ANNS)
        assert held is not None and held.answer == b"yes"
        await cache.close()


async def test_one_late_answer_parts_nobody_from_what_the_others_share(redis_url: str) -> None:
    link = Link("cache", Address.parse(redis_url).client(connections=2, timeout_s=0.5), monotonic, 0.5)
    cache, question = RedisCache(Lent(link), MOST_BYTES, claim_s=CLAIM_S), secrets.token_hex(8)
    await answered(cache, question)
    with redis.Redis.from_url(redis_url) as server:
        server.client_pause(700)
    try:
        entry = await cache.claim(question, "gen_b", ANY, ANNS)
        assert entry is not None and entry.answer is not None
    finally:
        await cache.close()
