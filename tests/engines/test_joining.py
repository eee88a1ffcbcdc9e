"""An engine that another replica has brought up is joined: that is no boot."""

from __future__ import annotations

from engines.base import State
from tests.engines.replicas import closed, replicas, turned
from tests.turning import Turned
from tests.waiting import until


async def test_of_replicas_that_share_an_engine_one_boots_it() -> None:
    clock = Turned()
    both = one, two = replicas(clock, "a", "b", shared="https://gpu")
    one.puppet.boots.clear()
    one.pool.warm("demo")
    await until(lambda: one.puppet.starts == 1)
    clock.turn(40)
    one.puppet.boots.set()
    await until(lambda: one.seat.state is State.WARM)
    await turned(clock, *both)
    await until(lambda: two.seat.state is State.WARM)
    assert [each.seat.boots_done for each in both] == [1, 0]
    assert (one.seat.boot_seconds, two.seat.boot_seconds) == (40, None)
    await turned(clock, *both)
    assert two.seat.boot_estimate_s == 40, "who has seen no boot goes by what the others have seen"
    await closed(*both)


async def test_an_engine_that_breaks_for_who_joins_it_has_not_failed_to_boot() -> None:
    clock = Turned()
    both = one, two = replicas(clock, "a", "b", shared="https://gpu")
    await one.warm()
    two.puppet.boot_error = RuntimeError("no way there")
    await turned(clock, *both)
    await until(lambda: two.seat.state is State.BROKEN)
    assert (one.seat.breaks, two.seat.breaks) == (0, 0)
    await closed(*both)


async def test_who_goes_while_others_have_it_warm_leaves_it_to_them() -> None:
    clock = Turned()
    both = one, two = replicas(clock, "a", "b", shared="https://gpu")
    await one.warm()
    await turned(clock, *both)
    await until(lambda: two.seat.state is State.WARM)
    await turned(clock, *both)
    await turned(clock, *both)
    await closed(one)
    assert (one.puppet.left, one.puppet.left_to_others) == (1, 1)
    await closed(two)


async def test_who_goes_last_leaves_it_to_nobody() -> None:
    clock = Turned()
    both = one, two = replicas(clock, "a", "b", shared="https://gpu")
    await one.warm()
    await turned(clock, one, one)
    await closed(*both)
    assert (one.puppet.left, one.puppet.left_to_others) == (1, 0)
    assert two.puppet.left == 0


async def test_a_boot_that_fails_where_nobody_had_it_up_any_more_has_failed() -> None:
    clock = Turned()
    both = one, two = replicas(clock, "a", "b", shared="https://gpu")
    await one.warm()
    await turned(clock, *both)
    await until(lambda: two.seat.state is State.WARM)
    one.puppet.boot_error = two.puppet.boot_error = RuntimeError("no weights")
    for each in both:
        each.puppet.dies.set()
    await until(lambda: one.seat.state is two.seat.state is State.BROKEN)
    await turned(clock, *both)
    await turned(clock, *both)
    assert (one.seat.breaks, two.seat.breaks) == (1, 1)
    await closed(*both)
