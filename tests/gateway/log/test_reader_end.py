"""A reader may wait for the end alone."""

from __future__ import annotations

import asyncio

from engines.base import Delta
from gateway.events import Finished, Timings, Usage
from tests.gateway.wire.openai_frames import log_of

END = Finished("stop", Usage(), Timings())


async def test_what_comes_before_the_end_wakes_nobody() -> None:
    log = log_of()
    reader = log.read(0)
    waiting = asyncio.create_task(reader.end())
    for _ in range(3):
        log.extend([Delta(0, "a")])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    log.extend([END])
    await asyncio.wait_for(waiting, 5)
    assert len(reader.take()) == 4
    reader.close()


async def test_end_that_was_written_before_is_not_waited_for() -> None:
    reader = log_of([Delta(0, "a"), END]).read(0)
    await asyncio.wait_for(reader.end(), 5)


async def test_wait_that_is_given_up_leaves_nothing_in_the_log() -> None:
    log = log_of()
    reader = log.read(0)
    waiting = asyncio.create_task(reader.end())
    await asyncio.sleep(0)
    assert log._waiting
    waiting.cancel()
    await asyncio.wait([waiting])
    reader.close()
    assert not log._waiting and not log.readers


async def test_wake_for_another_reason_does_not_end_the_wait() -> None:
    log = log_of()
    reader = log.read(0)
    waiting = asyncio.create_task(reader.end())
    await asyncio.sleep(0)
    reader.wake()
    await asyncio.sleep(0)
    log.extend([Delta(0, "a"), END])
    await asyncio.wait_for(waiting, 5)
    reader.close()


async def test_a_wake_ends_the_wait_where_that_was_asked_for() -> None:
    log = log_of()
    reader, gone = log.read(0), asyncio.Event()
    waiting = asyncio.create_task(reader.end(unless=gone.is_set))
    await asyncio.sleep(0)
    gone.set()
    reader.wake()
    await asyncio.wait_for(waiting, 5)
    reader.close()
    assert not log._waiting
