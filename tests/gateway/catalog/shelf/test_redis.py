"""Documents in Redis, and in a Redis Cluster."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from gateway.catalog.shelf.redis import RedisShelf
from gateway.errors import HearthError
from gateway.redis.address import Address
from tests.gateway.catalog.shelf.contract import Bench, ShelfContract
from tests.redis_cluster import Nodes
from tests.redis_server import redis_process


async def bench_at(url: str) -> AsyncIterator[Bench]:
    prefix, address = f"test-{secrets.token_hex(4)}", Address.parse(url)
    stores = [RedisShelf(address, monotonic, prefix=prefix) for _ in range(2)]
    yield Bench(*stores)
    for store in stores:
        await store.close()


class TestRedisShelf(ShelfContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        async for bench in bench_at(redis_url):
            yield bench


class TestRedisShelfInACluster(ShelfContract):
    @pytest.fixture
    async def bench(self, redis_cluster: Nodes) -> AsyncIterator[Bench]:
        async for bench in bench_at(redis_cluster.url):
            yield bench


async def test_a_redis_that_is_away_is_told_and_one_that_is_back_has_the_documents() -> None:
    with redis_process() as server:
        shelf = RedisShelf(Address.parse(server.url), monotonic)
        try:
            await shelf.swap("card", "a", None, b"1")
            server.kill()
            for ask in (shelf.all("card"), shelf.swap("card", "a", b"1", b"2")):
                with pytest.raises(HearthError) as told:
                    await ask
                assert told.value.code == "state_unavailable"
            server.restart(keep_data=True)
            assert await shelf.all("card") == {"a": b"1"}
        finally:
            await shelf.close()
