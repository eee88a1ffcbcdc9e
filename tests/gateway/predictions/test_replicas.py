"""Replicas on one Redis, of which one dies: no prediction is left alone."""

from __future__ import annotations

import secrets
from random import Random
from typing import Final, cast

from gateway.clock import Clock
from gateway.predictions.attending import Attending
from gateway.predictions.base import Predictions
from gateway.predictions.record import Ending
from gateway.predictions.redis import RedisPredictions
from gateway.redis.address import Address
from tests.gateway.predictions.contract import NOON, same
from tests.gateway.predictions.following import House, Unsteady, told
from tests.redis_server import redis_process
from tests.waiting import until

RECORDS = 200
LEASE_S = 2.0
SUCCEEDED = Ending("succeeded", NOON + 9)
_FOR_EVER: Final = 1_000_000_000


async def test_of_two_hundred_predictions_none_is_lost_when_a_replica_dies(redis_url: str) -> None:
    chance, house, prefix = Random(3), House(), f"test-{secrets.token_hex(4)}"
    stores = [RedisPredictions(Address.parse(redis_url), Clock(), prefix=prefix) for _ in range(3)]
    mortal = Unsteady(stores[0])
    doomed = Attending(house.parts(cast(Predictions, mortal)), "doomed", LEASE_S)
    left, other = (
        Attending(house.parts(stores[1]), "left", LEASE_S),
        Attending(house.parts(stores[2]), "other", LEASE_S),
    )
    for replica in (doomed, left, other):
        replica.begin()
    now = Clock().wall()
    records = [await house.begin(created=now) for _ in range(RECORDS)]
    for number, record in enumerate(records):
        await (doomed, left)[number % 2].attend(record)
    chance.shuffle(records)
    for record in records[: RECORDS // 4]:
        await house.end(record)
    await until(lambda: len(house.completed) == RECORDS // 4)
    # It dies in the middle of its work, while a hundred more are being told of; and then one leaves.
    house.hold.clear()
    for record in records[RECORDS // 4 : 3 * RECORDS // 4]:
        await house.end(record)
    await until(lambda: len(house.telling) == 3 * RECORDS // 4)
    mortal.failing = _FOR_EVER
    _kill(doomed)
    await left.close()
    house.hold.set()
    for record in records[3 * RECORDS // 4 :]:
        await house.end(record)
    for record in records:
        assert await told(stores[2], record) == same(record, ending=SUCCEEDED, told=True)
        assert house.completed[record.id]
        assert all(each.ending == SUCCEEDED for each, _ in house.completed[record.id])
    assert all(len(house.completed[record.id]) == 1 for record in records[: RECORDS // 4])
    assert len(left) == 0
    await other.close()
    for store in stores:
        await store.close()


async def test_what_a_redis_forgets_is_put_back_while_it_is_attended_to() -> None:
    with redis_process() as server:
        house, clock = House(), Clock()
        store = RedisPredictions(Address.parse(server.url), clock)
        here = Attending(house.parts(store), "here", LEASE_S)
        house.hold.clear()
        running, ended = [await house.begin(created=clock.wall()) for _ in range(2)]
        for record in (running, ended):
            await here.attend(record)
        await house.end(ended)
        await until(lambda: house.telling == {ended.id})
        server.ask("FLUSHALL")
        await here.round()
        assert await store.get(running.id) == running
        assert await store.get(ended.id) == same(ended, ending=SUCCEEDED)
        assert len(here) == 2
        house.hold.set()
        await house.end(running)
        for record in (running, ended):
            assert await told(store, record) == same(record, ending=SUCCEEDED, told=True)
        await here.close()
        await store.close()


def _kill(replica: Attending) -> None:
    """End all that it does, as the death of its process would: it lets nothing go."""
    assert replica._keeper is not None
    for task in (replica._keeper, *(own.task for own in replica._own.values())):
        task.cancel()
