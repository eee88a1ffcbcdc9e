"""Engines behind model names: booted when needed, watched while they run."""

from __future__ import annotations

import asyncio

import pytest

from engines.base import State
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
