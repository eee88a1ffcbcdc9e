"""Engines behind model names: booted when needed, watched while they run."""

from __future__ import annotations

import asyncio

import pytest

from engines.base import Prompt, State
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place, Seat
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until


def a_pool(puppet: Puppet, boot_deadline_s: float = 60) -> tuple[Pool, Seat]:
    pool = Pool([Place("demo", "demo", puppet)], Turned(), boot_deadline_s)
    return pool, pool.seats["demo"]


async def stages(pool: Pool) -> list[str]:
    """Every stage told until the model is warm."""
    return [stage async for stage in pool.reach("demo")]


async def test_many_who_wait_share_one_boot() -> None:
    puppet = Puppet(booted=False)
    pool, seat = a_pool(puppet)
    waiting = [asyncio.create_task(stages(pool)) for _ in range(20)]
    await until(lambda: puppet.starts == 1)
    puppet.boots.set()
    told = await asyncio.gather(*waiting)
    assert all(each[0] == "starting" and each[-1] == "loading" for each in told[1:])
    assert (puppet.starts, seat.state) == (1, State.WARM)
    assert await stages(pool) == []
    await pool.close()


async def test_a_boot_that_fails_is_told_to_all_who_wait_and_the_next_call_tries_again() -> None:
    puppet = Puppet(booted=False)
    puppet.boot_error = EngineError("boot_failed", "No room.")
    pool, seat = a_pool(puppet)
    waiting = [asyncio.create_task(stages(pool)) for _ in range(5)]
    await until(lambda: puppet.starts == 1)
    puppet.boots.set()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, EngineError)
        assert (outcome.code, outcome.message) == ("boot_failed", "No room.")
    assert (seat.state, seat.stage, puppet.stops) == (State.BROKEN, "No room.", 1)
    puppet.boot_error = None
    await stages(pool)
    assert (seat.state, seat.error, puppet.starts) == (State.WARM, None, 2)
    await pool.close()


async def test_a_boot_that_breaks_by_a_fault_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    puppet = Puppet()
    puppet.boot_error = ZeroDivisionError("secret")
    pool, seat = a_pool(puppet)
    with pytest.raises(EngineError) as told:
        await stages(pool)
    assert told.value.code == "boot_failed"
    assert "secret" not in told.value.message
    assert "secret" in caplog.text
    await until(lambda: seat.state is State.BROKEN)
    await pool.close()


async def test_a_boot_that_takes_too_long_has_failed() -> None:
    puppet = Puppet(booted=False)
    pool, seat = a_pool(puppet, boot_deadline_s=0.01)
    with pytest.raises(EngineError, match=r"0 s") as told:
        await stages(pool)
    assert told.value.code == "boot_failed"
    await until(lambda: seat.state is State.BROKEN)
    assert puppet.stops == 1
    await pool.close()


async def test_a_boot_that_ends_while_its_stage_is_being_told_is_not_missed() -> None:
    puppet = Puppet(booted=False)
    pool, seat = a_pool(puppet)
    async with asyncio.timeout(5):
        async for _ in pool.reach("demo"):
            puppet.boots.set()
            await until(lambda: seat.state is State.WARM)
    await pool.close()


async def test_an_engine_that_dies_right_after_each_boot_waits_for_the_next_request() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    for boots in (1, 2):
        pool.warm("demo")
        await until(lambda: puppet.starts == boots and seat.state is State.WARM)  # noqa: B023
        puppet.dies.set()
    await until(lambda: seat.state is State.BROKEN)
    assert (puppet.starts, puppet.stops) == (2, 2)
    await stages(pool)
    assert (puppet.starts, str(seat.state)) == (3, "warm")
    await pool.close()


async def test_an_engine_that_dies_is_booted_again_and_says_why() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    puppet.boots.clear()
    puppet.dies.set()
    await until(lambda: puppet.starts == 2)
    assert puppet.stops == 1
    assert str(seat.state) == "booting"
    assert "it was told to" in str(seat.error)
    puppet.boots.set()
    await stages(pool)
    assert str(seat.state) == "warm"
    assert str(seat.error) == "None"
    await pool.close()


async def test_a_model_that_is_cooled_is_gone_and_can_be_warmed_again() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await pool.cool("demo")
    await stages(pool)
    await pool.cool("demo")
    assert (seat.state, puppet.stops) == (State.COLD, 1)
    await stages(pool)
    assert (seat.state, puppet.starts) == (State.WARM, 2)
    await pool.close()


async def test_a_model_that_is_cooled_in_its_boot_leaves_nobody_waiting() -> None:
    puppet = Puppet(booted=False)
    pool, _ = a_pool(puppet)
    waiting = asyncio.create_task(stages(pool))
    await until(lambda: puppet.starts == 1)
    await pool.cool("demo")
    with pytest.raises(EngineError, match="was stopped before"):
        await waiting
    await pool.close()


async def test_a_closed_pool_boots_nothing() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    await pool.close()
    await pool.close()
    with pytest.raises(EngineError):
        await stages(pool)
    assert (puppet.starts, seat.state) == (1, State.COLD)


async def test_a_stop_lets_what_is_answered_end_and_takes_nobody_new() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    with seat.holding(100):
        cooling = [asyncio.create_task(pool.cool("demo", 60)) for _ in range(2)]
        await until(lambda: seat.state is State.DRAINING)
        for _ in range(5):
            await asyncio.sleep(0)
        assert puppet.stops == 0, "also when it is stopped twice"
        assert pool.pick("demo", Prompt(texts=("once",))) is None
    await asyncio.gather(*cooling)
    assert (str(seat.state), puppet.stops) == ("cold", 1)
    await pool.close()


async def test_what_does_not_end_in_time_is_stopped_all_the_same() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    with seat.holding(100):
        await pool.cool("demo", 0.01)
        assert (str(seat.state), puppet.stops) == ("cold", 1)
    await pool.close()


@pytest.mark.parametrize("wanted", ["warm", "reach"])
async def test_what_is_wanted_while_it_is_stopped_boots_afterwards(wanted: str) -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    with seat.holding(100):
        cooling = asyncio.create_task(pool.cool("demo", 60))
        await until(lambda: seat.state is State.DRAINING)
        pool.warm("demo")
        waiting = asyncio.create_task(stages(pool)) if wanted == "reach" else None
        await asyncio.sleep(0)
    await cooling
    await until(lambda: seat.state is State.WARM)
    assert (puppet.stops, puppet.starts) == (1, 2)
    if waiting is not None:
        assert (await waiting)[0] == "stopping"
    await pool.close()


async def test_an_engine_that_dies_while_it_is_to_stop_is_not_booted_again() -> None:
    puppet = Puppet()
    pool, seat = a_pool(puppet)
    await stages(pool)
    with seat.holding(100):
        cooling = asyncio.create_task(pool.cool("demo", 60))
        await until(lambda: seat.state is State.DRAINING)
        puppet.dies.set()
        await cooling
        assert (str(seat.state), puppet.starts, puppet.stops) == ("cold", 1, 1)
    await pool.close()


class Lasting(Puppet):
    """Its stop takes until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_stop = asyncio.Event()
        self.closed_at: int | None = None

    async def stop(self) -> None:
        await self.may_stop.wait()
        await super().stop()

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()

    async def close(self) -> None:
        self.closed_at = self.stops


@pytest.mark.parametrize("before", ["warm", "booting", "stopping", "breaking", "dying"])
async def test_a_close_interrupts_no_end_and_waits_for_it(before: str) -> None:
    puppet = Lasting()
    pool, seat = a_pool(puppet)
    if before in ("booting", "breaking"):
        puppet.boots.clear()
    pool.warm("demo")
    await until(lambda: puppet.starts == 1)
    cooling = None
    match before:
        case "breaking":
            puppet.boot_error = EngineError("boot_failed", "No.")
            puppet.boots.set()
        case "dying":
            await until(lambda: seat.state is State.WARM)
            puppet.dies.set()
            await until(lambda: seat.state is State.BOOTING)
        case "stopping":
            await until(lambda: seat.state is State.WARM)
            cooling = asyncio.create_task(pool.cool("demo"))
        case "warm":
            await until(lambda: seat.state is State.WARM)
    closing = asyncio.create_task(pool.close())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    puppet.may_stop.set()
    await closing
    assert puppet.closed_at is not None and puppet.closed_at >= 1, "it was closed when it was gone"
    assert not seat.lives
    if cooling is not None:
        await cooling


async def test_an_engine_that_does_not_end_well_is_cold_and_can_be_booted_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Clinging(Puppet):
        async def stop(self) -> None:
            raise OSError("it clings to life")

        async def leave(self, *, others: bool = False) -> None:
            await self.stop()

    puppet = Clinging()
    pool, seat = a_pool(puppet)
    await stages(pool)
    await pool.cool("demo")
    assert seat.state is State.COLD
    assert "it clings to life" in caplog.text
    await stages(pool)
    assert puppet.starts == 2
    await pool.close()


async def test_a_boot_that_fails_on_one_engine_goes_on_to_the_next() -> None:
    broken, sound = Puppet(), Puppet()
    broken.boot_error = EngineError("boot_failed", "No such folder.")
    pool = Pool([Place("demo", "demo", broken), Place("demo 2", "demo", sound)], Turned())
    told = await stages(pool)
    assert told[0] == "starting"
    assert [str(seat.state) for seat in pool.seats.values()] == ["broken", "warm"]
    await stages(pool)
    assert broken.starts == 1, "one that is broken is left alone while another is warm"
    await pool.close()


async def test_when_no_engine_boots_the_reason_is_told() -> None:
    puppets = [Puppet(), Puppet()]
    for puppet, reason in zip(puppets, ("No such folder.", "No memory."), strict=True):
        puppet.boot_error = EngineError("boot_failed", reason)
    pool = Pool([Place(f"demo {at}", "demo", puppet) for at, puppet in enumerate(puppets)], Turned())
    with pytest.raises(EngineError, match="No such folder"):
        await stages(pool)
    assert [puppet.starts for puppet in puppets] == [1, 1]
    await pool.close()


async def test_where_several_are_cold_one_is_booted_and_the_quickest_first() -> None:
    slow, quick = Puppet(), Puppet()
    pool = Pool([Place("demo", "demo", slow), Place("demo 2", "demo", quick)], Turned())
    pool.seats["demo"].remember([60.0])
    pool.seats["demo 2"].remember([5.0])
    await stages(pool)
    assert (slow.starts, quick.starts) == (0, 1)
    await pool.close()
