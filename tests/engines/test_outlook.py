"""When a model will likely be warm: told by its last boot, and by nothing else."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from engines.base import State
from engines.outlook import ASSUMED_S, Outlook, outlook, soonest
from engines.pool import Pool
from engines.seat import Place
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until


@pytest.mark.parametrize(
    ("state", "boot_seconds", "passed_s", "ready_s"),
    [
        (State.WARM, None, 0, 0),
        (State.WARM, 12, 0, 0),
        (State.COLD, None, 0, None),
        (State.COLD, 12, 0, 12),
        (State.BOOTING, None, 3, None),
        (State.BOOTING, 12, 0, 12),
        (State.BOOTING, 12, 4.97, 7.1),
        (State.BOOTING, 12, 11.99, 0.1),
        (State.BOOTING, 12, 12, None),
        (State.BOOTING, 12, 500, None),
        (State.DRAINING, 12, 0, None),
        (State.BROKEN, 12, 0, None),
    ],
)
def test_what_is_left_of_a_boot_like_the_last_one_is_told(
    state: State, boot_seconds: float | None, passed_s: float, ready_s: float | None
) -> None:
    assert outlook(state, boot_seconds, passed_s) == Outlook(state, ready_s)


def test_where_nothing_is_known_that_is_told_and_something_assumed() -> None:
    assert Outlook(State.COLD, None).assumed_s == ASSUMED_S
    assert Outlook(State.COLD, 2.5).assumed_s == 2.5
    assert Outlook(State.WARM, 0.0).assumed_s == 0


WARM, SOON, LATE, UNKNOWN = (Outlook(State.COLD, seconds) for seconds in (0.0, 3.0, 90.0, None))


@pytest.mark.parametrize(
    ("first", "others", "at"),
    [
        (LATE, [], None),
        (LATE, [WARM], 0),
        (LATE, [SOON], 0),
        (LATE, [UNKNOWN], None),
        (LATE, [UNKNOWN, SOON, WARM, WARM], 2),
        (SOON, [SOON, LATE], None),
        (UNKNOWN, [SOON], 0),
        (UNKNOWN, [LATE], None),
        (UNKNOWN, [UNKNOWN], None),
    ],
)
def test_another_is_chosen_only_if_it_is_likely_warm_sooner(
    first: Outlook, others: list[Outlook], at: int | None
) -> None:
    assert soonest(first, others) == at


async def test_the_pool_counts_down_from_the_boot_before() -> None:
    clock, puppet = Turned(), Puppet(booted=False)
    pool = Pool([Place("demo", "demo", puppet)], clock)
    assert pool.outlook("demo") == (State.COLD, None)
    await boot(pool, puppet, clock, seconds=20)
    assert pool.outlook("demo") == (State.WARM, 0)
    await pool.cool("demo")
    assert pool.outlook("demo") == (State.COLD, 20)
    puppet.boots.clear()
    pool.warm("demo")
    assert pool.outlook("demo") == (State.BOOTING, 20), "time begins with the boot, and not with the one before"
    await until(lambda: puppet.starts == 2)
    clock.turn(15)
    assert pool.outlook("demo") == (State.BOOTING, 5)
    clock.turn(5)
    assert pool.outlook("demo") == (State.BOOTING, None)
    await pool.close()


async def boot(pool: Pool, puppet: Puppet, clock: Turned, seconds: float) -> None:
    async def reach() -> None:
        async with aclosing(pool.reach("demo")) as stages:
            async for _ in stages:
                pass

    reaching = asyncio.create_task(reach())
    await until(lambda: puppet.starts == 1)
    clock.turn(seconds)
    puppet.boots.set()
    await reaching
