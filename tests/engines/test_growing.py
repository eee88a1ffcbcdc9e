"""A pool whose engines come and go while it serves, and of which more or fewer are wanted."""

from __future__ import annotations

import asyncio

import pytest

from engines.base import Prompt, State
from engines.board import MemoryBoard
from engines.errors import EngineError
from engines.keeping import Keeper
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Place
from tests.engines.test_keeping import Remembered
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until

ASKED = Prompt(texts=("Hi",))


class Nobody:
    """Counts no heartbeats."""

    def beat(self, model: str, seconds: float, *, passed: bool) -> None: ...


def of_three() -> tuple[Pool, Turned]:
    clock = Turned()
    places = [Place(id, "a", Puppet()) for id in ("a", "a 2", "a 3")]
    return Pool(places, clock, wall=clock), clock


def keeper_of(pool: Pool, clock: Turned) -> Keeper:
    board = MemoryBoard("here")
    pulse = Pulse(pool, board, Remembered(), clock, clock)
    return Keeper(pool, pulse, board, {}, clock, clock, Nobody())


def states(pool: Pool) -> list[State]:
    return [seat.state for seat in pool.seats.values()]


async def test_a_model_that_is_added_is_asked_like_any_other() -> None:
    pool = Pool([Place("a", "a", Puppet())], Turned())
    seat = pool.add(Place("b", "b", Puppet()))
    assert [*pool.models] == ["a", "b"] and seat.state is State.COLD and seat.alone
    async for _ in pool.reach("b"):
        pass
    assert pool.pick("b", ASKED) is seat
    await pool.close()
    assert seat.state is State.COLD


async def test_an_engine_that_is_added_stands_behind_its_name_with_the_others() -> None:
    pool = Pool([Place("a", "a", Puppet())], Turned())
    added = pool.add(Place("a 2", "a", Puppet()))
    first = pool.seats["a"]
    assert pool.models["a"].seats == (first, added)
    assert not first.alone and not added.alone
    pool.warm("a")
    await until(lambda: first.state is added.state is State.WARM)
    with first.holding(100):
        assert pool.pick("a", ASKED) is added
    await pool.close()


async def test_an_engine_that_is_added_shares_its_device_with_those_that_were_there() -> None:
    pool = Pool([Place("a", "a", Puppet(), device="gpu0")], Turned())
    pool.warm("a")
    await until(lambda: pool.is_up("a"))
    added = pool.add(Place("b", "b", Puppet(), device="gpu0"))
    assert added.is_crowded_out()
    await pool.close()


async def test_no_two_engines_have_one_name() -> None:
    pool = Pool([Place("a", "a", Puppet())], Turned())
    with pytest.raises(ValueError, match="already"):
        pool.add(Place("a", "a", Puppet()))


async def test_a_model_that_is_removed_is_stopped_and_asked_no_more() -> None:
    puppet = Puppet()
    pool = Pool([Place("a", "a", puppet), Place("b", "b", Puppet())], Turned())
    pool.warm("a")
    await until(lambda: pool.is_up("a"))
    await pool.remove("a")
    assert [*pool.models] == [*pool.seats] == ["b"]
    assert puppet.stops == 1
    with pytest.raises(EngineError) as refused:
        pool.pick("a", ASKED)
    assert refused.value.code == "boot_failed"
    await pool.remove("a")
    await pool.close()


async def test_whoever_waits_for_a_model_that_is_removed_is_told() -> None:
    pool = Pool([Place("a", "a", Puppet(booted=False))], Turned())

    async def wait() -> None:
        async for _ in pool.reach("a"):
            pass

    waiting = asyncio.create_task(wait())
    await until(lambda: pool.models["a"].waiting == 1 and pool.seats["a"].state is State.BOOTING)
    await pool.remove("a")
    with pytest.raises(EngineError) as refused:
        await asyncio.wait_for(waiting, 5)
    assert refused.value.code == "boot_failed"
    await pool.close()


async def test_a_model_that_was_removed_may_come_again() -> None:
    pool = Pool([Place("a", "a", Puppet())], Turned())
    await pool.remove("a")
    pool.add(Place("a", "a", Puppet()))
    pool.warm("a")
    await until(lambda: pool.is_up("a"))
    await pool.close()


async def test_as_many_engines_as_are_wanted_are_kept_warm_at_any_hour() -> None:
    pool, clock = of_three()
    keeper = keeper_of(pool, clock)
    pool.bound("a", 2, None)
    await keeper.round()
    await until(lambda: states(pool) == [State.WARM, State.WARM, State.COLD])
    clock.turn(100_000)
    await keeper.round()
    await until(lambda: [seat.beats for seat in pool.seats.values()] == [1, 1, 0])
    await keeper.close()
    await pool.close()


async def test_no_more_engines_boot_than_are_wanted() -> None:
    pool, _ = of_three()
    pool.bound("a", 0, 1)
    pool.warm("a")
    await until(lambda: pool.is_up("a"))
    assert states(pool) == [State.WARM, State.COLD, State.COLD]
    pool.boot(pool.seats["a 2"])
    assert states(pool) == [State.WARM, State.COLD, State.COLD]
    await pool.close()


async def test_an_engine_too_many_is_asked_no_more_and_goes_cold_when_it_has_answered() -> None:
    pool, clock = of_three()
    keeper = keeper_of(pool, clock)
    pool.warm("a")
    await until(lambda: states(pool) == [State.WARM] * 3)
    pool.bound("a", 0, 2)
    third = pool.seats["a 3"]
    with third.holding(1):
        for seat in (pool.seats["a"], pool.seats["a 2"]):
            assert pool.pick("a", ASKED, {seat: seat.boots}) not in (None, third)
        await keeper.round()
        assert third.state is State.WARM
    clock.turn(1)
    await keeper.round()
    await until(lambda: states(pool) == [State.WARM, State.WARM, State.COLD])
    pool.bound("a", 0, None)
    pool.warm("a")
    await until(lambda: states(pool) == [State.WARM] * 3)
    await keeper.close()
    await pool.close()
