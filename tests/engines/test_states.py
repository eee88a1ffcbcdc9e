"""The table of an engine's legal moves, and random lives that never leave it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.base import State
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from engines.states import MOVES, check
from tests.gateway.puppet import Puppet
from tests.turning import Turned


@pytest.mark.parametrize("state", State)
def test_to_stay_is_always_legal_and_every_state_can_be_left_and_reached(state: State) -> None:
    assert check(state, state) is state
    assert MOVES[state]
    assert any(state in after for after in MOVES.values())


@pytest.mark.parametrize(("before", "after"), [(State.COLD, State.WARM), (State.DRAINING, State.WARM)])
def test_nothing_is_warm_that_was_not_booted(before: State, after: State) -> None:
    with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
        check(before, after)


class Moody(Puppet):
    """Its stop takes a moment, as those of real engines do."""

    async def stop(self) -> None:
        await asyncio.sleep(0)
        await super().stop()
        await asyncio.sleep(0)

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()


EVENTS = ["warm", "cool", "rest", "leave", "die", "boot well", "boot badly", "boot never", "held", "let go", "tick"]


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
@settings(deadline=None)
def test_no_life_tries_an_illegal_move_and_each_can_be_warmed_at_its_end(events: list[str]) -> None:
    asyncio.run(live(events))


async def live(events: list[str]) -> None:
    puppet, clock = Moody(), Turned()
    pool = Pool([Place("demo", "demo", puppet)], clock)
    seat = pool.seats["demo"]
    holds = []
    rests = list[asyncio.Task[None]]()
    for event in events:
        match event:
            case "warm":
                pool.warm("demo")
            case "cool":
                rests.append(asyncio.create_task(pool.cool("demo", 0.01)))
            case "rest":
                rests.append(asyncio.create_task(pool.rest(seat, 0)))
            case "leave":
                rests.append(asyncio.create_task(pool.rest(seat, 0.01, leave=True)))
            case "die":
                puppet.dies.set()
            case "boot well":
                puppet.boot_error = None
                puppet.boots.set()
            case "boot badly":
                puppet.boot_error = EngineError("boot_failed", "No.")
                puppet.boots.set()
            case "boot never":
                puppet.boots.clear()
            case "held":
                holds.append(seat.holding(10))
                holds[-1].__enter__()
            case "let go" if holds:
                holds.pop().__exit__(None, None, None)
        for _ in range(1 + 3 * (event == "tick")):
            await asyncio.sleep(0)
    for hold in holds:
        hold.__exit__(None, None, None)
    async with asyncio.timeout(5):
        # A move that is not legal breaks whoever tries it.
        await asyncio.gather(*rests)
        assert seat.error is None or "the server's log" not in seat.error.message
        assert (seat.held, seat.owed) == (0, 0)
        await pool.rest(seat, 0)
        puppet.boot_error = None
        puppet.boots.set()
        async for _ in pool.reach("demo"):
            puppet.boots.set()
        assert seat.state is State.WARM
        await pool.close()
        assert str(seat.state) == "cold"
        assert not pool.seats["demo"].lives
