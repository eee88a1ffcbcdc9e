"""An engine that sleeps while its model is cold. No vLLM here: it sleeps on GPUs alone, and the host is played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from engines import registry
from engines.base import Report
from engines.errors import EngineError
from engines.vllm import resting, wire
from engines.vllm.engine import VllmEngine
from engines.vllm.link import Link
from tests.turning import Turned
from tests.waiting import until


class PlayedHost:
    """A host that notes what it is told, and settles as it is set to."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.calls = 0
        self.parted = 0
        self.closed = False
        self.told: list[wire.ToHost] = []
        self.fault: str | None = None
        self.answers = True
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, path: str, link: Link, report: Report) -> None:
        self.calls += 1
        reader, self._writer = await asyncio.open_unix_connection(path)
        self._tasks.add(asyncio.create_task(self._serve(reader, self._writer)))
        self.say(wire.Progress("loading the weights"))
        self.say(wire.Ready(2048, frozenset(), True, False))

    async def part(self, link: Link) -> None:
        self.parted += 1

    async def close(self) -> None:
        self.closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def say(self, message: wire.FromHost) -> None:
        assert self._writer is not None
        self._writer.write(wire.pack(message))

    def die(self) -> None:
        assert self._writer is not None
        self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        split, decode = wire.Splitter(), wire.to_host().decode
        try:
            while data := await reader.read(65536):
                for body in split.feed(data):
                    message = decode(body)
                    self.told.append(message)
                    if isinstance(message, wire.Sleep | wire.Wake) and self.answers:
                        self.say(wire.Settled(self.fault))
        finally:
            writer.close()
            await writer.wait_closed()


@pytest_asyncio.fixture
async def host() -> AsyncIterator[PlayedHost]:
    host = PlayedHost()
    yield host
    await host.close()


@pytest_asyncio.fixture
async def engine(host: PlayedHost) -> AsyncIterator[VllmEngine]:
    """Warm, and one that sleeps."""
    engine = VllmEngine(host, sleep_level=1, clock=Turned())
    await engine.start(lambda stage: None)
    yield engine
    await engine.close()


async def test_it_sleeps_when_it_is_stopped_and_is_woken_when_it_is_started(
    engine: VllmEngine, host: PlayedHost
) -> None:
    await engine.stop()
    assert (host.calls, host.parted) == (1, 0)
    stages: list[str] = []
    await engine.start(stages.append)
    assert host.told == [wire.Sleep(1), wire.Wake(1)]
    assert (host.calls, host.parted) == (1, 0)
    assert stages == [name for name, _ in engine.stages] == ["waking"]


async def test_to_stop_one_that_sleeps_changes_nothing(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    await engine.stop()
    assert host.told == [wire.Sleep(1)]
    assert host.parted == 0


async def test_to_close_one_that_sleeps_ends_it(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    await engine.close()
    assert host.parted == 1
    assert host.closed


async def test_one_that_cannot_sleep_is_ended(engine: VllmEngine, host: PlayedHost) -> None:
    host.fault = "no memory for the weights"
    await engine.stop()
    assert host.parted == 1
    host.fault = None
    await engine.start(lambda stage: None)
    assert host.calls == 2


async def test_one_that_is_dead_is_not_put_to_sleep(engine: VllmEngine, host: PlayedHost) -> None:
    host.die()
    await asyncio.wait_for(engine.died(), 5)
    await engine.stop()
    assert (host.told, host.parted) == ([], 1)


async def test_one_that_does_not_wake_is_ended_and_boots(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    host.fault = "another process has the memory"
    await engine.start(lambda stage: None)
    assert (host.parted, host.calls) == (1, 2)
    assert [name for name, _ in engine.stages] == ["waking", "loading the weights"]


async def test_one_that_died_in_its_sleep_boots(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    host.die()
    await asyncio.wait_for(engine.died(), 5)
    await engine.start(lambda stage: None)
    assert host.calls == 2


async def test_one_that_dies_while_it_wakes_boots(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    host.answers = False
    waking = asyncio.create_task(engine.start(lambda stage: None))
    await until(lambda: wire.Wake(1) in host.told)
    host.die()
    await asyncio.wait_for(waking, 5)
    assert host.calls == 2


async def test_one_whose_waking_is_given_up_is_ended(engine: VllmEngine, host: PlayedHost) -> None:
    await engine.stop()
    host.answers = False
    waking = asyncio.create_task(engine.start(lambda stage: None))
    await until(lambda: wire.Wake(1) in host.told)
    waking.cancel()
    await asyncio.wait([waking])
    await engine.stop()
    assert host.parted == 1
    assert host.told == [wire.Sleep(1), wire.Wake(1)]


async def test_one_that_never_was_warm_is_ended(host: PlayedHost) -> None:
    engine = VllmEngine(host, sleep_level=1)
    await engine.stop()
    assert host.told == []


async def test_one_without_a_level_is_ended(host: PlayedHost) -> None:
    engine = VllmEngine(host)
    await engine.start(lambda stage: None)
    await engine.stop()
    assert (host.told, host.parted) == ([], 1)


class PlayedVllm:
    """Notes what vLLM would be asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def sleep(self, level: int) -> None:
        self.asked.append(("sleep", level))

    async def wake_up(self, tags: list[str] | None = None) -> None:
        self.asked.append(("wake_up", tags))

    async def collective_rpc(self, method: str) -> None:
        self.asked.append(method)


async def test_weights_that_were_let_go_are_read_before_the_kv_cache_takes_its_room() -> None:
    vllm = PlayedVllm()
    await resting.put_to_sleep(vllm, 2)
    await resting.wake(vllm, 2)
    assert vllm.asked == [("sleep", 2), ("wake_up", ["weights"]), "reload_weights", ("wake_up", ["kv_cache"])]


async def test_weights_that_were_kept_wake_with_the_rest() -> None:
    vllm = PlayedVllm()
    await resting.put_to_sleep(vllm, 1)
    await resting.wake(vllm, 1)
    assert vllm.asked == [("sleep", 1), ("wake_up", None)]


def test_the_knobs_of_rest_are_not_vllms() -> None:
    assert resting.split("m", {"rest": "sleep", "sleep_level": "2", "dtype": "auto"}) == (2, {"dtype": "auto"})
    assert resting.split("m", {"rest": "sleep"}) == (1, {})
    assert resting.split("m", {"rest": "stop", "dtype": "auto"}) == (None, {"dtype": "auto"})
    assert resting.split("m", {}) == (None, {})


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ("rest=nap", "rest=stop or rest=sleep"),
        ("rest=sleep&sleep_level=3", "1 or 2"),
        ("sleep_level=1", "goes with rest=sleep"),
    ],
)
def test_a_rest_that_is_none_is_told_before_anything_boots(knobs: str, said: str) -> None:
    with pytest.raises(EngineError) as refused:
        registry.build([registry.parse(f"m=vllm:bundled?{knobs}")])
    assert refused.value.code == "bad_model_source"
    assert said in refused.value.message
