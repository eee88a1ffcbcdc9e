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
        await slow.enter_async_context(lanes.lane("ann", "slow"))
    with pytest.raises(TimeoutError):
        async with lanes.lane("ann", "slow", 0.01):
            pass
    async with lanes.lane("ann", "quick", 0.01):
        with pytest.raises(TimeoutError):
            async with lanes.lane("ann", "third", 0.01):
                pass
    await slow.aclose()
    async with lanes.lane("ann", "slow", 0.01), lanes.lane("ann", "slow", 0.01):
        pass


async def test_those_who_wait_go_in_turn_and_whoever_leaves_is_passed_over():
    lanes, went = Lanes(most=1, per_host=1), []

    async def go(name: str) -> None:
        async with lanes.lane("ann", "a"):
            went.append(name)

    async with lanes.lane("ann", "a"):
        waiting = [asyncio.create_task(go(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        waiting[1].cancel()
    await until(lambda: len(went) == 2)
    assert went == ["first", "third"]
    await asyncio.wait(waiting)


async def test_an_owner_of_many_slow_hosts_leaves_the_others_their_lanes():
    lanes, slow = Lanes(most=4, per_owner=3, per_host=2), AsyncExitStack()
    for number in range(3):
        await slow.enter_async_context(lanes.lane("ann", f"{number}.example"))
    with pytest.raises(TimeoutError):
        async with lanes.lane("ann", "another.example", 0.01):
            pass
    async with lanes.lane("bob", "0.example", 0.01):
        pass
    await slow.aclose()


async def test_owners_and_their_hosts_take_turns_however_many_calls_each_has():
    lanes, went = Lanes(most=1), []

    async def go(owner: str, host: str) -> None:
        async with lanes.lane(owner, host):
            went.append((owner, host))

    async with lanes.lane("carl", "busy"):
        calls = [("ann", "a")] * 3 + [("ann", "b"), ("bob", "a"), ("bob", "a")]
        waiting = [asyncio.create_task(go(*call)) for call in calls]
        await asyncio.sleep(0)
    await asyncio.wait(waiting)
    assert went == [("ann", "a"), ("bob", "a"), ("ann", "b"), ("bob", "a"), ("ann", "a"), ("ann", "a")]


async def test_whoever_is_cancelled_at_the_very_moment_of_its_turn_keeps_no_lane():
    lanes = Lanes(most=1)

    async def go() -> None:
        async with lanes.lane("ann", "a"):
            pytest.fail("it was cancelled")

    async with lanes.lane("ann", "a"):
        waiting = asyncio.create_task(go())
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    for _ in range(2):
        async with lanes.lane("bob", "b", 0.01):
            pass
