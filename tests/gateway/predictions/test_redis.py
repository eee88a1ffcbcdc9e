"""Predictions in Redis keep the contract, on one server and in a Cluster, and outlive its absence."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from gateway.errors import HearthError
from gateway.predictions import redis as predictions_redis
from gateway.predictions.base import REMEMBERED_S, Query
from gateway.predictions.redis import RedisPredictions
from gateway.redis.address import Address
from tests.gateway.predictions.contract import (
    HOOK,
    LEASE_S,
    NOON,
    Bench,
    PredictionsContract,
    a_record,
    a_try,
    an_ending,
    end,
    keep,
)
from tests.redis_cluster import Nodes
from tests.redis_server import RedisProcess, let_pass
from tests.turning import Turned


async def benched(url: str, *servers: str) -> AsyncIterator[Bench]:
    clock, prefix = Turned(NOON), f"test-{secrets.token_hex(4)}"
    here, elsewhere = [RedisPredictions(Address.parse(url), clock.clock, prefix=prefix) for _ in range(2)]

    def turn(seconds: float) -> None:
        clock.turn(seconds)
        for server in servers:
            let_pass(server, seconds, f"{prefix}:*:lapses")

    yield Bench(here, elsewhere, turn)
    for store in (here, elsewhere):
        await store.close()


class TestRedisPredictions(PredictionsContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        async for bench in benched(redis_url, redis_url):
            yield bench


class TestClusteredPredictions(PredictionsContract):
    @pytest.fixture
    async def bench(self, redis_cluster: Nodes) -> AsyncIterator[Bench]:
        async for bench in benched(redis_cluster.url, *(node.url for node in redis_cluster.nodes)):
            yield bench


@pytest.fixture
async def store(redis_server: RedisProcess) -> AsyncIterator[RedisPredictions]:
    made = RedisPredictions(Address.parse(redis_server.url), Turned(NOON).clock)
    yield made
    await made.close()


async def test_everything_in_redis_goes_by_itself_but_what_is_not_told_or_not_heard(
    redis_server: RedisProcess, store: RedisPredictions
) -> None:
    [over, running] = await keep(store, a_record(hook=HOOK), a_record())
    await store.delivered(over.id, a_try(status=500))
    await end(store, over)
    names = [name.decode() for name in redis_server.ask("KEYS", "*")]
    lasting = {name for name in names if redis_server.ask("PTTL", name) < 0}
    assert lasting == {f"hearth:{{predictions}}:{what}" for what in ("lapses", "attendants", "unheard")}
    assert all(redis_server.ask("PTTL", name) <= REMEMBERED_S * 1000 for name in names)
    await store.delivered(over.id, a_try(status=200))
    await end(store, running)
    assert not lasting & {name.decode() for name in redis_server.ask("KEYS", "*")}


async def test_lists_hold_no_more_than_is_remembered(redis_server: RedisProcess) -> None:
    clock = Turned(NOON)
    store = RedisPredictions(Address.parse(redis_server.url), clock.clock)
    await keep(store, *(a_record(created=NOON + number) for number in range(5)))
    clock.turn(REMEMBERED_S + 2)
    await keep(store, a_record(created=clock.now))
    lists = redis_server.ask("KEYS", "hearth:predictions:*")
    assert len(lists) == 5
    assert {redis_server.ask("ZCARD", name) for name in lists} == {3}
    await store.close()


async def test_what_its_creator_did_not_come_to_write_is_attended_to_by_nobody(
    redis_server: RedisProcess, store: RedisPredictions
) -> None:
    record = a_record()
    attending = [record.id, "one", 0]
    await store._link.script(store._attend, [store._lapses, store._attendants], attending)
    assert await store.take("two", LEASE_S, 10) == []
    assert redis_server.ask("KEYS", "*") == []


async def test_what_was_told_halfway_is_told(redis_server: RedisProcess, store: RedisPredictions) -> None:
    [record] = await keep(store, a_record())
    redis_server.ask("HSET", f"hearth:prediction:{{{record.id}}}", "told", "1")
    await store.let_go("one", [record.id])
    assert await store.take("two", LEASE_S, 10) == []
    assert redis_server.ask("EXISTS", "hearth:{predictions}:lapses", "hearth:{predictions}:attendants") == 0


async def test_ends_that_nobody_heard_are_found_behind_any_number_of_others(
    store: RedisPredictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions_redis, "_AT_ONCE", 3)
    [mine] = await keep(store, a_record(hook=HOOK))
    theirs = await keep(store, *(a_record(hook=HOOK, owner="bakery") for _ in range(10)))
    found = await end(store, mine, an_ending(NOON))
    for number, record in enumerate(theirs):
        await end(store, record, an_ending(NOON + 1 + number))
    assert await store.undelivered("shop", NOON, 1) == [found]
    assert len(await store.undelivered(None, NOON, 100)) == 11


async def test_a_redis_that_is_away_is_told_and_one_that_is_back_has_all(
    redis_server: RedisProcess, store: RedisPredictions
) -> None:
    [record] = await keep(store, a_record())
    redis_server.kill()
    asks = [
        store.add(a_record(), "one", LEASE_S),
        store.get(record.id),
        store.page("shop", Query()),
        store.ended(record.id, an_ending()),
        store.renew("one", [record.id], LEASE_S),
        store.take("one", LEASE_S, 10),
        store.sweep(),
    ]
    for ask in asks:
        with pytest.raises(HearthError) as told:
            await ask
        assert told.value.code == "state_unavailable"
    redis_server.restart(keep_data=True)
    assert await store.get(record.id) == record
    assert await store.renew("one", [record.id], LEASE_S) == {record.id}
