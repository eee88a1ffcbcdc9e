"""Books in Redis keep the contract, on one server and in a Cluster, and outlive its absence."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from gateway.errors import HearthError
from gateway.money.base import Balance, BooksAway
from gateway.money.prices import MOST, NANO
from gateway.money.redis import RedisBooks
from gateway.redis.address import Address
from tests.gateway.money.contract import NOON, Bench, BooksContract, a_hold, a_settlement
from tests.gateway.money.crowd import crowd
from tests.gateway.money.paying import a_gate, a_key, a_run, ended, finished
from tests.redis_cluster import Nodes
from tests.redis_server import RedisProcess, let_pass
from tests.turning import Turned


async def benched(url: str, *servers: str) -> AsyncIterator[Bench]:
    clock, prefix = Turned(NOON), f"test-{secrets.token_hex(4)}"
    here, elsewhere = [RedisBooks(Address.parse(url), clock.clock, prefix=prefix) for _ in range(2)]

    def turn(seconds: float) -> None:
        clock.turn(seconds)
        for server in servers:
            let_pass(server, seconds, f"{prefix}:*:lapses", f"{prefix}:*:lapsed")

    yield Bench(here, elsewhere, turn)
    for books in (here, elsewhere):
        await books.close()


class TestRedisBooks(BooksContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        async for bench in benched(redis_url, redis_url):
            yield bench


class TestClusteredBooks(BooksContract):
    @pytest.fixture
    async def bench(self, redis_cluster: Nodes) -> AsyncIterator[Bench]:
        async for bench in benched(redis_cluster.url, *(node.url for node in redis_cluster.nodes)):
            yield bench


@pytest.fixture
async def books(redis_server: RedisProcess) -> AsyncIterator[RedisBooks]:
    made = RedisBooks(Address.parse(redis_server.url), Turned(NOON).clock)
    yield made
    await made.close()


async def test_with_two_hundred_runs_and_two_replicas_no_limit_is_passed(redis_url: str) -> None:
    clock, prefix = Turned(NOON), f"test-{secrets.token_hex(4)}"
    pair = [RedisBooks(Address.parse(redis_url), clock.clock, prefix=prefix) for _ in range(2)]
    await crowd(pair, clock)
    for books in pair:
        await books.close()


async def test_the_largest_sums_are_counted_exactly(books: RedisBooks) -> None:
    most = a_hold("a", MOST - 1, limit=MOST)
    assert await books.hold(most) == (True, 1)
    assert await books.hold(a_hold("b", 2, limit=MOST)) == (False, 1)
    assert await books.hold(a_hold("b", 1, limit=MOST)) == (True, 0)
    await books.settle([a_settlement("a", MOST - 1, most)])
    assert await books.balance("k", "month", NOON) == Balance(MOST - 1, 1)


async def test_everything_in_redis_goes_by_itself_but_what_was_spent_in_all(
    redis_server: RedisProcess, books: RedisBooks
) -> None:
    await books.hold(a_hold("a", 10))
    await books.settle([a_settlement("a", 5, a_hold("a", 10))])
    lasting = {name.decode() for name in redis_server.ask("KEYS", "*") if redis_server.ask("PTTL", name) < 0}
    assert lasting == {"hearth:money:{k}:spent:total", "hearth:money:days"}


async def test_a_redis_that_is_away_is_told(redis_server: RedisProcess, books: RedisBooks) -> None:
    redis_server.kill()
    with pytest.raises(BooksAway, match="Redis"):
        await books.hold(a_hold("a", 10))
    with pytest.raises(BooksAway):
        await books.settle([a_settlement(f"r{n}", 5) for n in range(40)])


async def test_what_was_used_while_redis_was_away_is_written_when_it_is_back(
    redis_server: RedisProcess, books: RedisBooks
) -> None:
    gate = a_gate(books, Turned(NOON))
    bill = await gate.admit(a_run(), a_key())
    redis_server.kill()
    with pytest.raises(HearthError, match="state_unavailable"):
        await gate.admit(a_run(), a_key())
    await bill.close(ended(finished(7)))
    redis_server.restart(keep_data=True)
    await gate.tick()
    assert await books.balance("k", "month", NOON) == Balance(7 * NANO // 1000, 0)
    assert [line.use.calls for line in await books.usage("2026-11-18", "2026-11-18")] == [1]
