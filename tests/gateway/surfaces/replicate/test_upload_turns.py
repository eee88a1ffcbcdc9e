"""Turns of uploads: a part of them for each key, in a fair order, and none lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.errors import HearthError
from gateway.surfaces.replicate.upload_turns import Turns
from tests.waiting import until


class Crowd:
    """Uploads that begin when they may, and end when they are told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    def come(self, key: str, name: str) -> asyncio.Task[None]:
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self._upload(key, name))

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()

    async def _upload(self, key: str, name: str) -> None:
        async with self.turns.turn(key):
            self.running.append(name)
            await self._ends[name].wait()
            self.running.remove(name)


async def settle() -> None:
    """Let all that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_key_has_a_quarter_and_the_others_find_room_at_once() -> None:
    crowd = Crowd(Turns(8))
    tasks = [crowd.come("greedy", f"g{index}") for index in range(8)]
    await settle()
    assert crowd.running == ["g0", "g1"]
    tasks.append(crowd.come("other", "o"))
    await settle()
    assert crowd.running == ["g0", "g1", "o"]
    for index in range(8):
        await crowd.end(f"g{index}")
    await crowd.end("o")
    await asyncio.gather(*tasks)
    assert crowd.running == []


async def test_keys_that_wait_take_turns() -> None:
    crowd = Crowd(Turns(4))
    tasks = [crowd.come(key, f"{key}1") for key in "abcd"]
    await settle()
    tasks += [crowd.come(*each) for each in (("a", "a2"), ("a", "a3"), ("e", "e1"), ("b", "b2"))]
    await settle()
    # Each key has one turn of these four at most; who had none yet is before who had one.
    for over, begun in (("d1", "e1"), ("c1", None), ("a1", "a2"), ("b1", "b2"), ("a2", "a3")):
        running = set(crowd.running) - {over}
        await crowd.end(over)
        assert set(crowd.running) - running == ({begun} if begun else set()), over
    for name in ("a3", "b2", "e1"):
        await crowd.end(name)
    await asyncio.gather(*tasks)


async def test_who_gets_no_turn_in_time_is_refused() -> None:
    turns = Turns(4, wait_s=0.01)
    async with turns.turn("a"):
        with pytest.raises(HearthError, match="overloaded"):
            async with turns.turn("a"):
                pass
    async with turns.turn("a"):
        pass


async def test_a_full_line_makes_room_for_a_key_that_has_less_of_it() -> None:
    async with AsyncExitStack() as held:
        turns = Turns(4, waiting=3)
        for key in "abcd":
            await held.enter_async_context(turns.turn(key))
        crowd = Crowd(turns)
        greedy = [crowd.come("a", f"a{index}") for index in range(3)]
        await settle()
        with pytest.raises(HearthError, match="overloaded"):
            async with turns.turn("a"):
                pass
        modest = crowd.come("b", "b")
        with pytest.raises(HearthError, match="overloaded"):
            await greedy.pop()
    for name in ("a0", "a1", "b"):
        await crowd.end(name)
    await asyncio.gather(*greedy, modest)


async def test_who_leaves_just_as_its_turn_comes_gives_it_on() -> None:
    crowd = Crowd(Turns(4))
    first, leaves, last = (crowd.come("a", name) for name in ("first", "leaves", "last"))
    await settle()
    crowd._ends["first"].set()
    await until(lambda: "first" not in crowd.running)
    leaves.cancel()
    await settle()
    assert crowd.running == ["last"] and leaves.cancelled()
    await crowd.end("last")
    await asyncio.gather(first, last)
    assert not crowd.turns._running and not len(crowd.turns._line) and not crowd.turns._places
