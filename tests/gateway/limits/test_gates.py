"""Several replicas' gates on one Redis never let in more than the limits allow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from gateway.admission import Admission
from gateway.errors import HearthError
from gateway.limits.gate import LimitGate
from gateway.limits.redis import RedisLimiter
from gateway.redis.address import Address
from tests.gateway.limits.asking import NO_LIMITS, a_gate, a_generation, a_key, used
from tests.redis_server import RedisProcess
from tests.turning import Turned
from tests.waiting import until


@asynccontextmanager
async def gates(url: str, clock: Turned | None = None, **model: int) -> AsyncIterator[list[LimitGate]]:
    """Those of two replicas, whose model `demo` has these limits."""
    clock = clock or Turned()
    made = [a_gate(RedisLimiter(Address.parse(url), clock), clock, defaults=NO_LIMITS, **model) for _ in range(2)]
    try:
        yield made
    finally:
        for gate in made:
            await gate.close()


async def test_of_200_calls_at_once_on_two_replicas_as_many_are_let_in_as_may(redis_server: RedisProcess) -> None:
    async with gates(redis_server.url, requests_per_minute=5) as (here, elsewhere):
        told = await asyncio.gather(
            *(gate.enter(a_key(f"key{index}"), "demo") for index, gate in enumerate([here, elsewhere] * 100)),
            return_exceptions=True,
        )
        refused = [each for each in told if isinstance(each, HearthError)]
        assert len(refused) == 195
        assert all(error.code == "rate_limited" and error.retry_after_s for error in refused)


async def test_of_200_runs_at_once_no_more_than_the_slots_run_and_each_has_its_turn(redis_server: RedisProcess) -> None:
    async with gates(redis_server.url, concurrent=5) as (here, elsewhere):
        running, most, ended = 0, 0, 0

        async def run(gate: LimitGate, key: str) -> None:
            nonlocal running, most, ended
            admission = await gate.admit(a_generation(key), a_key(key))
            async for _ in admission.turn():
                pass
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            ended += 1
            await admission.close(used(20))

        async with asyncio.timeout(60):
            await asyncio.gather(*(run(gate, f"key{index % 7}") for index, gate in enumerate([here, elsewhere] * 100)))
        assert most <= 5 and ended == 200
        assert redis_server.ask("KEYS", "*:slots:*") == []


async def test_of_200_that_are_stopped_at_random_no_slot_is_left(redis_server: RedisProcess) -> None:
    chance = random.Random(5)
    async with gates(redis_server.url, concurrent=3) as (here, elsewhere):

        async def run(gate: LimitGate, key: str) -> None:
            admission = await gate.admit(a_generation(key), a_key(key, concurrent=50))
            try:
                async for _ in admission.turn():
                    pass
            finally:
                await admission.close(used(20))

        tasks = [asyncio.create_task(run(gate, f"key{n % 5}")) for n, gate in enumerate([here, elsewhere] * 100)]
        for task in chance.sample(tasks, 150):
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            task.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks, return_exceptions=True)
        for gate in (here, elsewhere):
            assert not len(gate._queues["demo"])
        assert redis_server.ask("KEYS", "*:slots:*") == []


async def test_a_single_one_on_another_replica_is_next_however_many_wait_here(redis_server: RedisProcess) -> None:
    async with gates(redis_server.url, concurrent=4) as (here, elsewhere):
        running: list[Admission] = []
        let_in: list[str] = []

        async def run(gate: LimitGate, key: str) -> None:
            admission = await gate.admit(a_generation(key), a_key(key))
            async for _ in admission.turn():
                pass
            let_in.append(key)
            running.append(admission)

        tasks = [asyncio.create_task(run(here, "ann")) for _ in range(24)]
        await until(lambda: len(let_in) == 4 and len(here._queues["demo"]) == 20)
        tasks.append(asyncio.create_task(run(elsewhere, "bob")))
        await until(lambda: len(elsewhere._queues["demo"]) == 1)
        for ended in range(1, 26):
            await until(lambda: bool(running))
            await running.pop(0).close(used(20))
            await until(lambda: len(let_in) == min(25, 4 + ended))  # noqa: B023
        await asyncio.gather(*tasks)
        # One or two more may pass where a busy machine holds it up for long.
        assert let_in.index("bob") <= 6


async def test_redis_dies_and_comes_back_and_the_limits_with_it(redis_server: RedisProcess) -> None:
    clock = Turned()
    async with gates(redis_server.url, clock, concurrent=2, requests_per_minute=10) as (here, elsewhere):
        runs = [await gate.admit(a_generation(), a_key()) for gate in (here, elsewhere)]
        await here.enter(a_key(), "demo")
        redis_server.kill()
        for gate in (here, elsewhere):
            # Each goes on by itself, so each has a slot more.
            runs.append(await gate.admit(a_generation(), a_key()))
            assert (await gate.enter(a_key(), "demo"))["x-ratelimit-limit-requests"] == "10"
        assert not any([await waits(run) for run in runs])
        redis_server.restart(keep_data=False)
        clock.turn(1)
        for gate in (here, elsewhere):
            await gate.tick()
        assert redis_server.ask("ZCARD", "hearth:slots:{model:demo}") == 4
        late = await here.admit(a_generation(), a_key())
        assert await waits(late)
        for run in (*runs, late):
            await run.close(used(20))
        assert redis_server.ask("KEYS", "*:slots:*") == []


async def waits(run: Admission) -> bool:
    """Whether its turn does not come at once."""
    async with aclosing(run.turn()) as places:
        async for _ in places:
            return True
    return False
