"""Runs wait for a slot of their model in turns, and leave no trace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.admission import Admission
from gateway.errors import HearthError
from gateway.limits.base import Rate, Standing, Subject, Unit
from gateway.limits.gate import LimitGate
from gateway.limits.memory import MemoryLimiter
from tests.gateway.limits.asking import a_gate, a_generation, a_key, used
from tests.gateway.limits.contract import MODEL
from tests.turning import Turned
from tests.waiting import until


class SlowLimiter(MemoryLimiter):
    """One that can be interrupted before and after each thing it does."""

    async def take(self, rates: Sequence[Rate], cost: int) -> list[Standing]:
        await asyncio.sleep(0)
        standings = await super().take(rates, cost)
        await asyncio.sleep(0)
        return standings

    async def hold(self, subject: Subject, most: int, holder: str) -> bool:
        await asyncio.sleep(0)
        has = await super().hold(subject, most, holder)
        await asyncio.sleep(0)
        return has

    async def release(self, subject: Subject, holder: str) -> None:
        await asyncio.sleep(0)
        await super().release(subject, holder)

    async def settle(self, subject: Subject, unit: Unit, cost: int, used: int) -> None:
        await asyncio.sleep(0)
        await super().settle(subject, unit, cost, used)


class Caller:
    """Calls as runners make them, each in a task; `running` are those whose turn has come."""

    def __init__(self, gate: LimitGate) -> None:
        self.gate = gate
        self.running: list[str] = []
        self.said: dict[str, list[str]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    def call(self, name: str) -> asyncio.Task[None]:
        """One for the key that the first three letters name."""
        self._ends[name], self.said[name] = asyncio.Event(), []
        return asyncio.create_task(self._run(name))

    def end(self, name: str) -> None:
        self._ends[name].set()

    def is_alone(self, name: str) -> bool:
        return self.running == [name]

    async def _run(self, name: str) -> None:
        run = await self.gate.admit(a_generation(name[:3]), a_key(name[:3], concurrent=4))
        try:
            await self._go_on(name, run)
        finally:
            await run.close(used(20))

    async def _go_on(self, name: str, run: Admission) -> None:
        async for said in run.turn():
            self.said[name].append(said)
        self.running.append(name)
        try:
            await self._ends[name].wait()
        finally:
            self.running.remove(name)


@pytest.fixture
def limiter() -> SlowLimiter:
    return SlowLimiter(Turned())


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_who_waits_is_told_its_place_when_it_changes(limiter: SlowLimiter) -> None:
    caller = Caller(a_gate(limiter, Turned(), concurrent=1))
    names = ["ann0", "ann1", "ann2", "bob0"]
    tasks = []
    for name in names:
        tasks.append(caller.call(name))
        await settle()
    assert caller.running == ["ann0"]
    for name, following in pairwise(["ann0", "bob0", "ann1", "ann2"]):
        caller.end(name)
        await until(partial(caller.is_alone, following))
        await settle()
    caller.end("ann2")
    await asyncio.gather(*tasks)
    assert caller.said == {
        "ann0": [],
        "ann1": ["you are next", "1 ahead of you", "you are next"],
        "ann2": ["1 ahead of you", "2 ahead of you", "1 ahead of you", "you are next"],
        "bob0": ["you are next"],
    }


async def test_who_leaves_the_queue_lets_the_others_move_up(limiter: SlowLimiter) -> None:
    caller = Caller(a_gate(limiter, Turned(), concurrent=1))
    tasks = {name: caller.call(name) for name in ("ann0", "bob0", "cid0")}
    await settle()
    tasks["bob0"].cancel()
    await asyncio.wait([tasks["bob0"]])
    await settle()
    assert caller.said["cid0"] == ["1 ahead of you", "you are next"]
    caller.end("ann0")
    await until(lambda: caller.running == ["cid0"])
    caller.end("cid0")
    await asyncio.gather(tasks["ann0"], tasks["cid0"])
    assert not limiter.held


async def test_one_that_was_let_in_and_never_waits_blocks_nobody(limiter: SlowLimiter) -> None:
    gate = a_gate(limiter, Turned(), concurrent=1)
    first = await gate.admit(a_generation(), a_key())
    idle = await gate.admit(a_generation(), a_key())
    third = await gate.admit(a_generation(), a_key())
    await first.close(used(20))
    async with asyncio.timeout(5):
        assert [said async for said in third.turn()] == []
    for run in (idle, third):
        await run.close(used(20))
    assert not limiter.held


async def test_a_slot_given_back_elsewhere_is_found(limiter: SlowLimiter) -> None:
    here, elsewhere = (a_gate(limiter, Turned(), concurrent=1) for _ in range(2))
    run = await elsewhere.admit(a_generation(), a_key())
    caller = Caller(here)
    task = caller.call("ann0")
    await until(lambda: caller.said["ann0"] == ["you are next"])
    await run.close(used(20))
    await until(lambda: caller.running == ["ann0"])
    caller.end("ann0")
    await task


async def test_a_key_that_fills_the_queue_makes_room_for_another(limiter: SlowLimiter) -> None:
    caller = Caller(a_gate(limiter, Turned(), concurrent=1, max_queued=3))
    tasks = {}
    for name in ("ann0", "ann1", "ann2", "ann3", "bob0", "bob1"):
        tasks[name] = caller.call(name)
        await settle()
    assert caller.running == ["ann0"]
    for name in ("ann3", "bob1"):
        with pytest.raises(HearthError, match="3 wait for demo, as many as may") as refused:
            await tasks.pop(name)
        assert refused.value.code == "model_busy" and refused.value.retry_after_s
    for name in ("ann0", "bob0", "ann1", "ann2"):
        await until(partial(caller.is_alone, name))
        caller.end(name)
    await asyncio.gather(*tasks.values())
    assert not limiter.held


async def test_one_that_makes_room_before_it_waits_is_told_when_it_does(limiter: SlowLimiter) -> None:
    gate = a_gate(limiter, Turned(), concurrent=1, max_queued=2)
    first, second, third = [await gate.admit(a_generation(), a_key()) for _ in range(3)]
    bobs = await gate.admit(a_generation("bob"), a_key("bob"))
    with pytest.raises(HearthError, match="this key had most of them when another came"):
        await anext(third.turn())
    for run in (first, second, third, bobs):
        await run.close(used(20))
    assert not limiter.held and not len(gate._queues["demo"])


async def test_one_that_is_taken_over_makes_no_room(limiter: SlowLimiter) -> None:
    gate = a_gate(limiter, Turned(), concurrent=1, max_queued=2)
    await gate.admit(a_generation(), a_key())
    for _ in range(2):
        await gate.inherit(a_generation())
    with pytest.raises(HearthError, match=r"2 wait for demo, as many as may\.$"):
        await gate.admit(a_generation("bob"), a_key("bob"))


@pytest.mark.parametrize("turns", range(1, 8))
async def test_a_takeover_that_is_stopped_holds_nothing_here(limiter: SlowLimiter, turns: int) -> None:
    gate, generation = a_gate(limiter, Turned(), concurrent=1), a_generation()
    await gate.admit(generation, a_key(concurrent=1))
    task = asyncio.create_task(gate.inherit(generation))
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.cancel():
        await asyncio.wait([task])
        assert not limiter.held


async def test_the_metrics_show_who_waits_and_who_was_refused(limiter: SlowLimiter) -> None:
    gate = a_gate(limiter, Turned(), concurrent=1, max_queued=1)
    runs = [await gate.admit(a_generation(), a_key()) for _ in range(2)]
    with pytest.raises(HearthError):
        await gate.admit(a_generation(), a_key())
    value = gate._metrics.registry.get_sample_value
    assert value("hearth_queued", {"model": "demo"}) == 1
    assert value("hearth_limited_total", {"limit": "model_queue"}) == 1
    await runs[0].close(used(20))
    async with asyncio.timeout(5):
        assert [said async for said in runs[1].turn()] == []
    assert value("hearth_queued", {"model": "demo"}) == 0
    assert value("hearth_queue_seconds_count", {"model": "demo"}) == 1
    await runs[1].close(used(20))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(["ann", "bob", "cid"])),
        st.tuples(st.sampled_from(["cancel", "end"]), st.integers(0, 11)),
        st.tuples(st.just("pass"), st.integers(0, 6)),
    ),
    max_size=40,
)


@given(STEPS)
@example([("call", "ann"), ("call", "ann"), ("pass", 4), ("cancel", 1), ("pass", 1), ("cancel", 1)])
def test_whatever_is_stopped_whenever_no_slot_is_given_twice_or_lost(steps: list[tuple[str, str | int]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, str | int]]) -> None:
    limiter = SlowLimiter(Turned())
    gate = a_gate(limiter, Turned(), concurrent=2, max_queued=5, tokens_per_minute=100_000)
    caller, tasks = Caller(gate), dict[str, asyncio.Task[None]]()
    for step, what in steps:
        names = list(tasks)
        match step, what:
            case "call", str(key):
                name = f"{key}{len(tasks)}"
                tasks[name] = caller.call(name)
            case "cancel", int(index) if index < len(names):
                tasks[names[index]].cancel()
            case "end", int(index) if index < len(names):
                caller.end(names[index])
            case "pass", int(turns):
                for _ in range(turns):
                    await asyncio.sleep(0)
        assert len(caller.running) <= 2
    await settle()
    waiting = [name for name, task in tasks.items() if not task.done() and name not in caller.running]
    assert len(caller.running) == 2 or not waiting, "nobody waits beside a free slot"
    for name in tasks:
        caller.end(name)
    ended = await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert all(error is None or isinstance(error, HearthError | asyncio.CancelledError) for error in ended)
    assert not limiter.held and not len(gate._queues["demo"])
    finished = sum(error is None for error in ended)
    [standing] = await limiter.take([Rate(MODEL, "tokens", 100_000)], 0)
    assert standing.remaining <= 100_000 - 20 * finished
