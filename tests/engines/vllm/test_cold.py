"""Real vLLM, cold: what of it is gone, and what a boot costs then."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engines import registry
from engines.vllm.engine import VllmEngine
from loadtest import processes
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

MODEL = "campfire=vllm:bundled"


def children() -> dict[int, processes.Process]:
    """Everything this process has begun, but for what the test suite itself keeps running."""
    return {pid: each for pid, each in processes.look(os.getpid()).items() if pid != os.getpid()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def before() -> set[int]:
    """The processes that were there before any engine of this file."""
    return set(children())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(before: set[int]) -> AsyncIterator[VllmEngine]:
    built = registry.build([registry.parse(MODEL)])[0].engine
    assert isinstance(built, VllmEngine)
    yield built
    await built.close()


def megabytes(before: set[int]) -> float:
    """What the engine's processes hold, pages that they share counted once."""
    return sum(each.megabytes for pid, each in children().items() if pid not in before)


async def test_a_cold_engine_keeps_the_nursery_alone_and_gives_its_memory_back(
    engine: VllmEngine, before: set[int]
) -> None:
    await engine.start(lambda stage: None)
    await engine.stop()
    [nursery] = set(children()) - before
    at_rest = megabytes(before)
    for _ in range(2):
        await engine.start(lambda stage: None)
        warm = set(children()) - before
        assert len(warm) == 3, "the nursery, the host, the engine core"
        assert megabytes(before) > at_rest + 50
        await engine.stop()
        assert set(children()) - before == {nursery}
        assert megabytes(before) < at_rest * 1.1


async def test_the_stages_of_a_boot_add_up_to_it(engine: VllmEngine) -> None:
    loop = asyncio.get_running_loop()
    told: list[str] = []
    began = loop.time()
    await engine.start(told.append)
    took = loop.time() - began
    await engine.stop()
    assert [stage.name for stage in engine.stages] == told
    assert told[2:] == [
        "reading the model's configuration",
        "starting the engine core",
        "preparing the worker",
        "preparing the device",
        "loading the weights",
        "measuring the memory",
        "making the KV cache",
        "warming up the model",
        "warming up the chat template",
        "decoding a first token",
    ]
    assert 0.9 * took < sum(stage.seconds for stage in engine.stages) <= took
    by_name = dict(engine.stages)
    # Nothing of vLLM is imported a second time, and no gigabyte of zeros is written.
    assert by_name["importing vLLM"] < 0.5
    assert by_name["making the KV cache"] < 0.5


async def test_a_nursery_that_is_not_kept_ends_with_the_last_host(before: set[int]) -> None:
    built = registry.build([registry.parse(f"{name}=vllm:bundled") for name in ("one", "two")], keep_vllm=False)
    one, two = (place.engine for place in built)
    held = set(children())
    await asyncio.gather(one.start(lambda stage: None), two.start(lambda stage: None))
    await one.stop()
    assert len(set(children()) - held) == 3
    await two.stop()
    assert set(children()) == held
    await one.start(lambda stage: None)
    await one.beat()
    await asyncio.gather(one.close(), two.close())
    assert set(children()) == held


async def test_a_boot_that_is_given_up_while_vllm_is_imported_leaves_no_nursery_that_is_not_kept() -> None:
    engine = registry.build([registry.parse(MODEL)], keep_vllm=False)[0].engine
    held = set(children())
    booting = asyncio.create_task(engine.start(lambda stage: None))
    await until(lambda: set(children()) != held)
    booting.cancel()
    await asyncio.wait([booting])
    await engine.stop()
    assert set(children()) == held
    await engine.close()
