"""Whoever waits long is told again what for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from engines.errors import EngineError
from gateway.retelling import retold
from tests.waiting import until

AT_ONCE = 0.0
"""A silence that is over as soon as the loop has been round."""


class Source:
    """Tells what it is given; None ends it."""

    def __init__(self, *items: str | Exception | None) -> None:
        self.items: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.closed = False
        for item in items:
            self.items.put_nowait(item)

    async def told(self) -> AsyncGenerator[str]:
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed = True


async def test_what_comes_quickly_is_told_once() -> None:
    source = Source("starting", "loading", None)
    assert [item async for item in retold(source.told(), 60)] == ["starting", "loading"]
    assert source.closed


async def test_the_last_word_is_told_again_through_a_silence_until_there_is_another() -> None:
    source = Source("starting")
    told = retold(source.told(), AT_ONCE)
    assert [await anext(told) for _ in range(3)] == ["starting"] * 3
    source.items.put_nowait("loading")
    async with asyncio.timeout(10):
        assert "loading" in [await anext(told) for _ in range(5)]
    await told.aclose()
    assert source.closed


async def test_nothing_told_is_nothing_waited_for() -> None:
    before = asyncio.all_tasks()
    assert [item async for item in retold(Source(None).told(), AT_ONCE)] == []
    assert asyncio.all_tasks() == before


async def test_what_breaks_is_raised() -> None:
    told = retold(Source("starting", EngineError("boot_failed", "No room.")).told(), 60)
    assert await anext(told) == "starting"
    with pytest.raises(EngineError, match="No room"):
        await anext(told)


async def test_whoever_stops_waiting_leaves_nothing_behind() -> None:
    source = Source("starting")

    async def wait() -> None:
        async for _ in retold(source.told(), 60):
            pass

    waiting = asyncio.create_task(wait())
    await until(lambda: len(asyncio.all_tasks()) > 2)
    waiting.cancel()
    await asyncio.wait([waiting])
    await until(lambda: source.closed and len(asyncio.all_tasks()) == 1)
