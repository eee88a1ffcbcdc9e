"""One host for several workers: who boots it, who may end it, and what each of them hears. No vLLM here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from engines.base import Report, State, Traits
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from engines.vllm import sharing
from engines.vllm.engine import VllmEngine
from tests.turning import Turned
from tests.waiting import until


class Owner:
    """An engine that boots when it is told to, and notes whom it was told to meet."""

    def __init__(self) -> None:
        self.traits = Traits()
        self.boots = 0
        self.stops = 0
        self.fails = False
        self.met: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.dead: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.invited = asyncio.Event()
        self.meets = True

    async def start(self, report: Report) -> None:
        self.boots += 1
        self.dead = asyncio.get_running_loop().create_future()
        report("loading")
        await self.go.wait()
        if self.fails:
            raise EngineError("boot_failed", "no such weights")

    async def stop(self) -> None:
        self.stops += 1

    async def leave(self) -> None:
        self.stops += 1

    async def close(self) -> None: ...

    async def died(self) -> str:
        return await asyncio.shield(self.dead)

    async def invite(self, path: str) -> bool:
        self.invited.set()
        if not self.meets:
            return not await asyncio.shield(self.dead)
        self.met.append(path)
        return True

    def die(self) -> None:
        self.dead.set_result("it was killed")


class Company:
    """A supervisor's broker and its workers, with nothing between them."""

    def __init__(self) -> None:
        self.clock = Turned()
        self.owner = Owner()
        engine = cast("VllmEngine", self.owner)
        self.pool = Pool([Place("m", "m", engine)], self.clock)
        self.broker = sharing.Broker(self.pool, {"m": engine}, self.clock)
        self.warmed: list[int] = []

    def worker(self, number: int) -> sharing.Asker:
        asker = sharing.Asker(lambda message: self.broker.hear(number, message))

        def hear(message: sharing.ToWorker) -> None:
            if isinstance(message, sharing.Warm):
                self.warmed.append(number)
            else:
                asker.hear(message)

        self.broker.came(number, hear)
        return asker


@asynccontextmanager
async def company() -> AsyncIterator[Company]:
    made = Company()
    made.broker.begin()
    async with asyncio.timeout(10):
        yield made
    await made.broker.close()
    await made.pool.close()


def quiet(stage: str) -> None: ...


async def test_two_workers_who_want_a_model_have_one_boot_and_hear_its_stages() -> None:
    async with company() as here:
        here.owner.go.clear()
        heard: list[str] = []
        asking = [asyncio.create_task(here.worker(n).want("m", f"/{n}", heard.append)) for n in range(2)]
        await until(lambda: heard.count("loading") == 2)
        here.owner.go.set()
        await asyncio.gather(*asking)
        assert (here.owner.boots, sorted(here.owner.met)) == (1, ["/0", "/1"])


async def test_every_worker_hears_that_a_model_is_up() -> None:
    async with company() as here:
        first, _ = here.worker(0), here.worker(1)
        await first.want("m", "/0", quiet)
        await until(lambda: sorted(here.warmed) == [0, 1])


async def test_a_failed_boot_is_one_boot_for_all_and_the_next_ask_after_a_while_is_another() -> None:
    async with company() as here:
        here.owner.fails = True
        for number in range(3):
            with pytest.raises(EngineError, match="no such weights") as refused:
                await here.worker(number).want("m", "/0", quiet)
            assert refused.value.code == "boot_failed"
        assert here.owner.boots == 1
        here.clock.turn(10)
        here.owner.fails = False
        await here.worker(0).want("m", "/0", quiet)
        assert here.owner.boots == 2


async def test_a_host_that_dies_boots_again_once_however_many_had_it() -> None:
    async with company() as here:
        workers = [here.worker(number) for number in range(3)]
        await asyncio.gather(*(worker.want("m", "/a", quiet) for worker in workers))
        here.clock.turn(60)
        here.owner.die()
        # They see the end of their sockets before the supervisor may have seen that of its own.
        await asyncio.gather(*(worker.want("m", "/b", quiet) for worker in workers))
        await until(lambda: here.owner.boots == 2)
        await asyncio.gather(*(worker.want("m", "/c", quiet) for worker in workers))
        assert here.owner.boots == 2


async def test_a_host_that_dies_over_and_over_is_not_booted_for_each_worker_anew() -> None:
    async with company() as here:
        seat = here.pool.seats["m"]
        worker = here.worker(0)
        await worker.want("m", "/0", quiet)
        here.owner.die()
        await until(lambda: here.owner.boots == 2 and seat.state is State.WARM)
        here.owner.die()
        await until(lambda: seat.state is State.BROKEN)
        for number in range(3):
            with pytest.raises(EngineError, match="it was killed"):
                await here.worker(number).want("m", "/0", quiet)
        assert here.owner.boots == 2


async def test_a_host_that_dies_before_it_came_is_followed_by_one_that_comes() -> None:
    async with company() as here:
        here.owner.meets = False
        asking = asyncio.create_task(here.worker(0).want("m", "/0", quiet))
        await here.owner.invited.wait()
        here.owner.meets = True
        here.owner.die()
        await asking
        assert (here.owner.boots, here.owner.met) == (2, ["/0"])


async def test_a_worker_who_parts_takes_the_model_from_nobody_and_the_last_one_ends_it() -> None:
    async with company() as here:
        first, second = here.worker(0), here.worker(1)
        for worker in (first, second):
            await worker.want("m", "/0", quiet)
        first.say(sharing.Part("m"))
        await until(lambda: not here.broker._cooling["m"].locked())
        await second.want("m", "/1", quiet)
        assert here.pool.seats["m"].state is State.WARM
        second.say(sharing.Part("m"))
        await until(lambda: here.pool.seats["m"].state is State.COLD)
        await first.want("m", "/2", quiet)
        assert here.owner.boots == 2


async def test_a_worker_who_dies_leaves_the_model_to_the_one_that_takes_its_place() -> None:
    async with company() as here:
        await here.worker(0).want("m", "/0", quiet)
        here.broker.gone(0)
        await here.worker(0).want("m", "/1", quiet)
        assert (here.owner.boots, here.owner.stops) == (1, 0)


async def test_a_worker_who_dies_while_it_waits_is_forgotten() -> None:
    async with company() as here:
        here.owner.go.clear()
        heard: list[str] = []
        asking = asyncio.create_task(here.worker(0).want("m", "/0", heard.append))
        await until(lambda: "loading" in heard)
        here.broker.gone(0)
        here.owner.go.set()
        await until(lambda: here.pool.seats["m"].state is State.WARM)
        asking.cancel()
        assert here.owner.met == []
