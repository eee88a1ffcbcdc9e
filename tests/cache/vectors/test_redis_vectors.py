"""The index in Redis keeps the contract where Redis has vector sets, and does without where it has none.

The first half runs where a `redis-server` of version 8 or newer is on the PATH.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
import redis

from cache.base import Unavailable, Which
from cache.vectors.memory import MemoryVectors
from cache.vectors.redis import RedisVectors
from gateway.redis.address import Address
from gateway.redis.lending import Lent
from gateway.redis.link import Link
from tests.cache.vectors.contract import EAST, MOST, TTL_S, Bench, VectorsContract, asked
from tests.redis_cluster import cluster
from tests.redis_server import redis_process
from tests.turning import Turned


def index(url: str, prefix: str = "hearth", clock: Turned | None = None) -> RedisVectors:
    link = Link("vectors", Address.parse(url).client(connections=2, timeout_s=1.0), monotonic, 1.0)
    return RedisVectors(Lent(link), MemoryVectors(monotonic), prefix=prefix, most=MOST, clock=clock or Turned())


@asynccontextmanager
async def benched(url: str) -> AsyncIterator[Bench]:
    prefix = f"test-{secrets.token_hex(4)}"
    here, elsewhere = index(url, prefix), index(url, prefix)
    try:
        if not await here._searches():
            pytest.skip("there is no redis-server with vector sets on the PATH")
        yield Bench(here, elsewhere)
    finally:
        await here.close()
        await elsewhere.close()


class TestRedisVectors(VectorsContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        async with benched(redis_url) as bench:
            yield bench

    async def test_places_expire(self, bench: Bench, redis_url: str) -> None:
        assert isinstance(bench.here, RedisVectors)
        await asked(bench.here, "p", "k", EAST)
        with redis.Redis.from_url(redis_url) as look:
            assert 0 < look.pttl(bench.here._key("p")) <= TTL_S * 1000


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[str]:
    with cluster() as nodes:
        yield nodes.url


class TestRedisClusterVectors(VectorsContract):
    @pytest.fixture
    async def bench(self, three_nodes: str) -> AsyncIterator[Bench]:
        async with benched(three_nodes) as bench:
            yield bench


async def test_a_redis_without_vector_sets_is_told_once_and_done_without(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = index(redis_url, f"test-{secrets.token_hex(4)}")
    try:
        if await vectors._searches():
            pytest.skip("this Redis has vector sets")
        vectors._can = None
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            for key in ("a", "b"):
                await asked(vectors, "p", key, EAST)
        assert [near.fingerprint for near in await vectors.nearest("p", EAST, 0.5)] == ["a", "b"]
        await vectors.remove("p", "a")
        assert await vectors.purge(Which()) == 1
        assert [record.message for record in caplog.records if "vector sets" in record.message] != []
        assert len(caplog.records) == 1
    finally:
        await vectors.close()


async def test_an_absent_redis_is_said_in_the_caches_own_words() -> None:
    with redis_process() as server:
        vectors = index(server.url)
        server.kill()
        with pytest.raises(Unavailable):
            await vectors.nearest("p", EAST, 0.5)
        server.start()
        assert await vectors.nearest("p", EAST, 0.5) == []
        await vectors.close()
