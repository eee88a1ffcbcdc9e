"""A history in Redis keeps the contract, on one server and on a Cluster."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
import redis

from engines.board import Away
from engines.history import ARRIVALS_KEPT_S, BOOTS_KEPT_S
from gateway.board.history_redis import RedisHistory
from gateway.clock import Clock
from gateway.redis.address import Address
from tests.engines.history_contract import DAY_S, NOW, Bench, HistoryContract
from tests.redis_cluster import cluster
from tests.redis_server import redis_process
from tests.turning import Turned


@asynccontextmanager
async def benched(url: str, shift: redis.Redis) -> AsyncIterator[Bench]:
    wall, prefix = Turned(NOW), f"test-{secrets.token_hex(4)}"
    clock = Clock(wall, monotonic)
    here, elsewhere = [RedisHistory(Address.parse(url), clock, prefix=prefix) for _ in range(2)]

    def turn(seconds: float) -> None:
        wall.turn(seconds)
        for key in shift.scan_iter(f"{prefix}:*"):
            shift.pexpire(key, round(shift.pttl(key) - seconds * 1000))

    yield Bench(here, elsewhere, turn)
    for history in (here, elsewhere):
        await history.close()


class TestRedisHistory(HistoryContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        with redis.Redis.from_url(redis_url) as shift:
            async with benched(redis_url, shift) as bench:
                yield bench


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[str]:
    with cluster() as nodes:
        yield nodes.url


class TestRedisClusterHistory(HistoryContract):
    @pytest.fixture
    async def bench(self, three_nodes: str) -> AsyncIterator[Bench]:
        hosts = three_nodes.removeprefix("redis+cluster://").split(",")
        with redis.RedisCluster.from_url(f"redis://{hosts[0]}") as shift:
            async with benched(three_nodes, shift) as bench:
                yield bench


async def test_an_absent_redis_is_said_in_the_boards_own_words_and_a_returned_one_remembers() -> None:
    # Else what it confirmed a moment before it is killed may not be on disk yet.
    with redis_process("--appendfsync", "always") as server:
        history = RedisHistory(Address.parse(server.url), Clock())
        now = int(Clock().wall())
        await history.booted("demo/1", 5.0)
        await history.came({("demo", now): 1})
        server.kill()
        for ask in (
            history.booted("demo/1", 5.0),
            history.boots("demo/1"),
            history.came({("demo", now): 1}),
            history.arrivals("demo", 0),
        ):
            with pytest.raises(Away, match="Redis: "):
                await ask
        server.restart(keep_data=True)
        assert list(await history.boots("demo/1")) == [5.0]
        assert dict(await history.arrivals("demo", 0)) == {now: 1}
        await history.close()


async def test_every_key_ends_by_itself() -> None:
    with redis_process() as server:
        history = RedisHistory(Address.parse(server.url), Clock(Turned(NOW), monotonic))
        await history.booted("demo/1", 5.0)
        await history.came({("demo", NOW): 1, ("demo", NOW - 7 * DAY_S): 1, ("demo", NOW - 70 * DAY_S): 1})
        left = {key.split(b":")[1]: server.ask("PTTL", key) / 1000 for key in server.ask("KEYS", "*")}
        assert len(server.ask("KEYS", "hearth:*")) == 3
        assert 0 < left[b"boots"] <= BOOTS_KEPT_S
        assert 0 < left[b"{arrivals}"] <= ARRIVALS_KEPT_S + 7 * DAY_S
        await history.close()
