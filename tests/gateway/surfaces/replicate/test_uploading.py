"""Many uploads at once: they wait for their turn, and slow ones keep nobody's."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import pytest

from gateway.surfaces.replicate import uploading
from gateway.surfaces.replicate.upload_turns import Turns
from tests.gateway.surfaces.raw import Line
from tests.gateway.surfaces.replicate.warehouse import Warehouse, connected, listening
from tests.waiting import until

PART: Final = b'--b\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
END: Final = b"\r\n--b--\r\n"


async def begin(here: Warehouse, held: AsyncExitStack, key: str, size: int = 1 << 20, sent: bytes = PART) -> Line:
    """An upload of which only so much is sent."""
    line = await held.enter_async_context(connected(here))
    head = f"POST /replicate/v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
    head += f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {size}\r\n\r\n"
    await line.send(head.encode() + sent)
    return line


async def test_two_hundred_uploads_at_once_are_all_taken(tmp_path: Path) -> None:
    async with listening(tmp_path) as here, AsyncExitStack() as held:
        body = PART + bytes(1000) + END
        lines = [await begin(here, held, "me", len(body), body) for _ in range(200)]
        told = await asyncio.gather(*(line.hear(b"\r\n") for line in lines))
        assert Counter(each.split(b" ")[1] for each in told) == {b"201": 200}


async def test_one_keys_slow_uploads_leave_room_for_all_others(tmp_path: Path) -> None:
    async with listening(tmp_path) as here, AsyncExitStack() as held:
        for _ in range(64):
            await begin(here, held, "slow")
        assert (await here.upload())["size"] == 5


async def test_an_upload_that_slows_down_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "_STEP_S", 0.3)
    async with listening(tmp_path) as here, AsyncExitStack() as held:
        line = await begin(here, held, "me")
        hearing = asyncio.create_task(line.rest())
        while not hearing.done():
            with suppress(ConnectionError):
                await line.send(b"x")
            # Something comes all the time: it is too little that ends it, not silence.
            await asyncio.wait([hearing], timeout=0.03)
        assert (await hearing).startswith(b"HTTP/1.1 408 ")
        assert here.objects() == []


async def test_an_upload_that_keeps_up_goes_on_for_as_long_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "_STEP_S", 1.0)
    async with listening(tmp_path) as here, AsyncExitStack() as held:
        line = await begin(here, held, "me", len(PART) + 40 * uploading._STEP + len(END))
        hearing = asyncio.create_task(line.hear(b"\r\n"))
        for _ in range(40):
            await line.send(bytes(uploading._STEP))
            await asyncio.wait([hearing], timeout=0.03)
        await line.send(END)
        assert (await hearing).startswith(b"HTTP/1.1 201 ")


async def test_who_leaves_before_its_turn_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(4)
    monkeypatch.setattr(uploading, "Turns", lambda: turns)
    async with listening(tmp_path) as here, AsyncExitStack() as held:
        first = await begin(here, held, "me")
        await until(lambda: turns._running.total() == 1)
        second = await begin(here, held, "me")
        await until(lambda: len(turns._line) == 1)
        second.drop()
        await until(lambda: len(turns._line) == 0)
        first.drop()
        await until(lambda: not turns._running)
        await here.upload()
