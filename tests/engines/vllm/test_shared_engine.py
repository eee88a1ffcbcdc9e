"""Real vLLM: two gateways on one host, each with every promise of an engine, and neither in the other's way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

import pytest
import pytest_asyncio

from engines import registry
from engines.base import Engine
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from engines.vllm.engine import VllmEngine
from engines.vllm.sharing import Asker, Broker, ToWorker, Warm
from tests.engines.asking import ask, begin_and_leave, chat
from tests.engines.contract import EngineContract

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


class Shared(NamedTuple):
    """The engine that owns the host, and those of two workers."""

    owner: VllmEngine
    pool: Pool
    one: VllmEngine
    two: VllmEngine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Shared]:
    """Both warm; a test that stops one starts it again."""
    owner = registry.build([registry.parse("campfire=vllm:bundled")])[0].engine
    assert isinstance(owner, VllmEngine)
    pool = Pool([Place("campfire", "campfire", owner)], time.monotonic)
    broker = Broker(pool, {"campfire": owner}, time.monotonic)
    one, two = (worker(broker, number) for number in range(2))
    async with asyncio.timeout(200):
        await asyncio.gather(*(engine.start(lambda stage: None) for engine in (one, two)))
    yield Shared(owner, pool, one, two)
    for engine in (one, two):
        await engine.close()
    await broker.close()
    await pool.close()


def worker(broker: Broker, number: int) -> VllmEngine:
    """A worker's engine, with nothing between it and the supervisor's broker."""
    asker = Asker(lambda message: broker.hear(number, message))

    def hear(message: ToWorker) -> None:
        if not isinstance(message, Warm):
            asker.hear(message)

    broker.came(number, hear)
    return VllmEngine(asker.hosting("campfire"))


class TestContract(EngineContract):
    @pytest.fixture
    def engine(self, shared: Shared) -> Engine:
        return shared.one


ENDLESS = chat("x", max_tokens=1500, ignore_eos=True)


async def running(engine: Engine) -> int:
    """How many requests vLLM itself runs."""
    found = re.search(r"^vllm:num_requests_running{[^}]*} (\S+)$", await engine.metrics(), re.MULTILINE)
    assert found
    return int(float(found[1]))


async def until_it_runs(engine: Engine, wanted: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await running(engine) != wanted:
            pass


async def test_both_have_one_host(shared: Shared) -> None:
    assert shared.owner.pid is not None
    assert shared.one.pid is shared.two.pid is None
    assert shared.one.traits == shared.two.traits == shared.owner.traits


async def test_what_both_ask_at_once_under_one_name_does_not_cross(shared: Shared) -> None:
    prompts = [chat(f"Tell me a story about a {animal}.", temperature=0, max_tokens=30) for animal in ("fox", "owl")]
    alone = [(await ask(shared.owner, prompt)).text() for prompt in prompts]
    for _ in range(3):
        asked = zip((shared.one, shared.two), prompts, strict=True)
        together = await asyncio.gather(*(ask(engine, prompt, "same") for engine, prompt in asked))
        assert [answer.text() for answer in together] == alone


async def test_an_abort_reaches_the_ones_own_prompt_alone(shared: Shared) -> None:
    prompt = chat("Tell me a story about a fox.", temperature=0, max_tokens=400, ignore_eos=True)
    going_on = asyncio.create_task(ask(shared.two, prompt, "same"))
    await until_it_runs(shared.two, 1, 10)
    await begin_and_leave(shared.one, ENDLESS, 3)
    async with aclosing(shared.one.generate("same", ENDLESS)) as answer:
        await anext(answer)
    assert (await going_on).tokens == 400


async def test_metrics_are_the_hosts_whoever_asks(shared: Shared) -> None:
    async with aclosing(shared.one.generate("a", ENDLESS)) as answer:
        await anext(answer)
        await anext(answer)
        assert [await running(engine) for engine in (shared.one, shared.two)] == [1, 1]


async def test_a_worker_that_vanishes_leaves_nothing_running_and_the_other_alone(shared: Shared) -> None:
    host = shared.owner.pid
    left = [asyncio.create_task(ask(shared.one, ENDLESS, f"left-{i}")) for i in range(3)]
    prompt = chat("Tell me a story about a fox.", temperature=0, max_tokens=300, ignore_eos=True)
    going_on = asyncio.create_task(ask(shared.two, prompt))
    await until_it_runs(shared.two, 4, 10)
    link = shared.one._link
    assert link is not None and link._transport is not None
    link._transport.abort()
    assert {getattr(end, "code", end) for end in await asyncio.gather(*left, return_exceptions=True)} == {"engine_died"}
    assert (await going_on).tokens == 300
    await until_it_runs(shared.two, 0, 2)
    await shared.one.stop()
    await shared.one.start(lambda stage: None)
    assert (await ask(shared.one, chat("Are you back?", max_tokens=2))).tokens == 2
    assert shared.owner.pid == host


async def test_a_worker_that_reads_nothing_holds_nobody_up(shared: Shared) -> None:
    link = shared.one._link
    assert link is not None and link._transport is not None
    link._transport.pause_reading()
    many = chat("x", max_tokens=300, min_tokens=300, ignore_eos=True, n=8, logprobs=True, top_logprobs=20)
    asked = asyncio.create_task(ask(shared.one, many))
    assert (await ask(shared.two, chat("fox", max_tokens=50, ignore_eos=True))).tokens == 50
    await until_it_runs(shared.two, 0, 60)
    link._transport.resume_reading()
    assert (await asked).tokens == 8 * 300


async def test_to_stop_one_engine_takes_the_host_from_no_other(shared: Shared) -> None:
    host = shared.owner.pid
    await shared.one.stop()
    assert (await ask(shared.two, chat("Still there?", max_tokens=2))).tokens == 2
    await shared.one.start(lambda stage: None)
    assert shared.owner.pid == host


@pytest.mark.parametrize("which", ["host", "core"])
async def test_the_death_of_the_host_or_its_core_is_told_to_all_and_one_more_serves_all(
    shared: Shared, which: str
) -> None:
    both = (shared.one, shared.two)
    host = shared.owner.pid
    assert host is not None
    dying = [asyncio.create_task(ask(engine, ENDLESS)) for engine in both]
    await until_it_runs(shared.two, 2, 10)
    os.kill(host if which == "host" else core_of(host), signal.SIGKILL)
    ends = await asyncio.gather(*dying, return_exceptions=True)
    assert {getattr(end, "code", end) for end in ends} == {"engine_died"}
    assert all(isinstance(end, EngineError) for end in ends)
    await asyncio.gather(*(asyncio.wait_for(engine.died(), 10) for engine in both))
    for engine in both:
        await engine.stop()
    await asyncio.gather(*(asyncio.wait_for(engine.start(lambda stage: None), 60) for engine in both))
    assert [(await ask(engine, chat("Are you back?", max_tokens=2))).tokens for engine in both] == [2, 2]
    assert shared.owner.pid not in (None, host)


def core_of(host: int) -> int:
    """The process that vLLM forked for its engine core."""
    with open(f"/proc/{host}/task/{host}/children") as file:
        [core] = file.read().split()
    return int(core)
