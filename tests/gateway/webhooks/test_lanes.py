"""How many calls are under way at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.webhooks.lanes import Lanes
from tests.waiting import until


async def test_a_slow_host_leaves_the_others_their_lanes():
    lanes, slow = Lanes(most=3, per_host=2), AsyncExitStack()
    for _ in range(2):
        await slow.enter_async_context(lanes.lane("slow"))
    with pytest.raises(TimeoutError):
        async with lanes.lane("slow", 0.01):
            pass
    async with lanes.lane("quick", 0.01):
        with pytest.raises(TimeoutError):
            async with lanes.lane("third", 0.01):
                pass
    await slow.aclose()
    async with lanes.lane("slow", 0.01), lanes.lane("slow", 0.01):
        pass


async def test_those_who_wait_go_in_turn_and_whoever_leaves_is_passed_over():
    lanes, went = Lanes(most=1, per_host=1), []

    async def go(name: str) -> None:
        async with lanes.lane("a"):
            went.append(name)

    async with lanes.lane("a"):
        waiting = [asyncio.create_task(go(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        waiting[1].cancel()
    await until(lambda: len(went) == 2)
    assert went == ["first", "third"]
    await asyncio.wait(waiting)
