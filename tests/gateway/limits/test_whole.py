"""Work that is not left half done."""

from __future__ import annotations

import asyncio

import pytest

from gateway.limits.whole import whole


class Work:
    """Something that lasts until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.done = False

    async def go(self) -> str:
        await self.may_go_on.wait()
        self.done = True
        return "done"


async def pass_on() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_the_work_gives_is_given() -> None:
    work = Work()
    work.may_go_on.set()
    assert await whole(work.go()) == "done"


async def test_a_cancel_is_heeded_when_the_work_is_done() -> None:
    work = Work()
    task = asyncio.create_task(whole(work.go()))
    await pass_on()
    task.cancel()
    await pass_on()
    assert not task.done()
    work.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.done


async def test_a_second_cancel_is_heeded_at_once() -> None:
    work = Work()
    task = asyncio.create_task(whole(work.go()))
    for _ in range(2):
        await pass_on()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.done


async def test_an_error_reaches_who_waits_and_troubles_nobody_else() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await whole(fail())
    task = asyncio.create_task(whole(fail()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
