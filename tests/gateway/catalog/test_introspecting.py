"""What predictors take is found out while nobody asks them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from engines.base import UNTOLD_SCHEMA, Traits
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.introspecting import Introspecting
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until


class Untold(Puppet):
    """Tells its schema when it is looked at, and that may go on."""

    def __init__(self) -> None:
        super().__init__(traits=Traits(schema=UNTOLD_SCHEMA))
        self.looks = 0
        self.may = asyncio.Event()
        self.why: Exception | None = None

    async def look(self) -> None:
        self.looks += 1
        await self.may.wait()
        if self.why is not None:
            raise self.why
        self.traits = Traits(schema={})


def place(id: str, engine: Untold) -> Place:
    return Place(id, id, engine, predictor=True, look=engine.look)


async def test_predictors_are_looked_at_one_after_the_other_and_once() -> None:
    one, other = Untold(), Untold()
    pool = Pool([place("a", one), place("b", other)], Turned())
    scouting = Introspecting(pool, Turned())
    await scouting.look()
    await until(lambda: one.looks == 1)
    await scouting.look()
    assert other.looks == 0
    one.may.set()
    other.may.set()
    await until(lambda: other.traits.schema == {})
    await until(lambda: scouting._task is not None and scouting._task.done())
    await scouting.look()
    assert (one.looks, other.looks, one.starts) == (1, 1, 0)
    await scouting.close()
    await pool.close()


@pytest.mark.parametrize("why", [EngineError("boot_failed", "no such package"), ValueError("no such package")])
async def test_one_that_fails_is_tried_again_later_and_told_of_once(
    caplog: pytest.LogCaptureFixture, why: Exception
) -> None:
    one, other, clock = Untold(), Untold(), Turned(100.0)
    one.why = why
    one.may.set()
    other.may.set()
    pool = Pool([place("a", one), place("b", other)], Turned())
    scouting = Introspecting(pool, clock)
    with caplog.at_level(logging.WARNING):
        await scouting.look()
        await until(lambda: other.traits.schema == {})
        await until(lambda: scouting._task is not None and scouting._task.done())
        await scouting.look()
        assert one.looks == 1
        clock.turn(60)
        await scouting.look()
        await until(lambda: one.looks == 2)
        await until(lambda: scouting._task is not None and scouting._task.done())
    assert caplog.text.count("what a takes is not known") == 1
    await scouting.close()
    await pool.close()


async def test_one_that_is_looked_at_when_the_server_ends_is_left() -> None:
    one = Untold()
    pool = Pool([place("a", one)], Turned())
    scouting = Introspecting(pool, Turned())
    await scouting.look()
    await until(lambda: one.looks == 1)
    await scouting.close()
    assert one.traits.schema is UNTOLD_SCHEMA
    await pool.close()
