"""Models warmed and cooled by hand, on every replica."""

from __future__ import annotations

import pytest

from engines.base import State
from engines.errors import EngineError
from engines.orders import TOLD_S
from tests.engines.replicas import closed, replicas, turned
from tests.turning import Turned
from tests.waiting import until


async def test_an_order_reaches_the_engines_of_other_replicas() -> None:
    clock = Turned()
    one, two = replicas(clock, "a", "b")
    for each in (one, two):
        await each.warm()
    await turned(clock, one, two)
    assert await one.pulse.order("demo", "cool", drain_s=5)
    await turned(clock, two)
    await until(lambda: one.seat.state is two.seat.state is State.COLD)
    assert (one.puppet.stops, two.puppet.stops) == (1, 1)
    await two.pulse.order("demo", "warm")
    await turned(clock, one)
    await until(lambda: one.seat.state is two.seat.state is State.WARM)
    await closed(one, two)


async def test_an_order_is_carried_out_once_by_each() -> None:
    clock = Turned()
    one, two = replicas(clock, "a", "b")
    await one.pulse.order("demo", "cool")
    await turned(clock, two)
    await two.warm()
    for _ in range(3):
        await turned(clock, one, two)
    assert two.seat.state is State.WARM
    await closed(one, two)


async def test_an_order_is_told_for_a_while_and_no_longer() -> None:
    clock = Turned()
    one, two = replicas(clock, "a", "b")
    await one.pulse.order("demo", "warm")
    clock.turn(TOLD_S)
    await turned(clock, one, two)
    assert two.seat.state is State.COLD
    await closed(one, two)


async def test_of_contrary_orders_the_later_one_holds_on_every_replica() -> None:
    clock = Turned()
    one, two = replicas(clock, "a", "b")
    await one.pulse.order("demo", "cool")
    clock.turn(0.5)
    await two.pulse.order("demo", "warm")
    await turned(clock, one, two)
    await until(lambda: one.seat.state is two.seat.state is State.WARM)
    await closed(one, two)


async def test_an_order_after_anothers_holds_though_the_clock_is_behind() -> None:
    clock = Turned()
    one, two = replicas(clock, "a", "b")
    await one.pulse.order("demo", "cool")
    await two.pulse.turn()
    clock.turn(-3)
    await two.pulse.order("demo", "warm")
    await one.pulse.turn()
    await until(lambda: one.seat.state is two.seat.state is State.WARM)
    await closed(one, two)


async def test_a_shared_engine_is_stopped_by_one_and_left_by_the_others() -> None:
    clock = Turned()
    all_three = one, two, three = replicas(clock, "a", "b", "c", shared="https://gpu")
    for each in all_three:
        await each.warm()
    await turned(clock, *all_three)
    await three.pulse.order("demo", "cool")
    await turned(clock, one, two)
    await until(lambda: all(each.seat.state is State.COLD for each in all_three))
    for _ in range(3):
        await turned(clock, *all_three)
    assert all(each.seat.state is State.COLD for each in all_three), "nobody joins what is being stopped"
    assert [(each.puppet.stops, each.puppet.left) for each in all_three] == [(1, 0), (0, 1), (0, 1)]
    await closed(*all_three)


async def test_a_shared_engine_is_stopped_by_one_that_has_it() -> None:
    clock = Turned()
    cold, warm = replicas(clock, "a", "b", shared="https://gpu")
    await warm.warm()
    await turned(clock, warm)
    await cold.pulse.order("demo", "cool")
    await turned(clock, warm)
    await until(lambda: warm.seat.state is State.COLD)
    assert (warm.puppet.stops, warm.puppet.left) == (1, 0)
    await turned(clock, cold, warm)
    assert cold.seat.state is State.COLD
    await closed(cold, warm)


async def test_who_waits_for_an_answer_is_cut_when_its_time_is_over_and_boots_nothing() -> None:
    clock = Turned()
    [only] = replicas(clock, "a")
    await only.warm()
    boot = only.seat.boots
    await only.pulse.order("demo", "cool", drain_s=0)
    await until(lambda: only.seat.state is State.COLD)
    with pytest.raises(EngineError) as told:
        async for _ in only.pool.reach("demo", {only.seat: boot}):
            pass
    assert (told.value.code, only.seat.state) == ("engine_died", State.COLD)
    async for _ in only.pool.reach("demo"):
        pass
    assert only.seat.state is State.WARM, "who comes afterwards has it booted"
    await closed(only)
