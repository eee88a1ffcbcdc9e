"""The client and the real server, over a network that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest
from hearth_client import AsyncHearth, Delta, End, Event, HearthError, Opened, Patience
from sides import Async, Sync

from tests.serving import serving

REQUEST = {"model": "demo", "messages": [{"role": "user", "content": "Tell me of a fox."}]}


@asynccontextmanager
async def breaking(url: str, after: int) -> AsyncIterator[str]:
    """A way to the server whose first connection breaks after so many bytes of answer."""
    upstream, limits = urlsplit(url), [after]
    carrying: set[asyncio.Task[None] | None] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        left = limit
        while left != 0 and (data := await reader.read(1024 if left is None else min(1024, left))):
            writer.write(data)
            await writer.drain()
            left = None if left is None else left - len(data)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.current_task())
        limit = limits.pop() if limits else None
        far_reader, far_writer = await asyncio.open_connection(upstream.hostname, upstream.port)
        up = asyncio.create_task(carry(reader, far_writer, None))
        try:
            with suppress(ConnectionError):
                await carry(far_reader, writer, limit)
        finally:
            up.cancel()
            for each in (writer, far_writer):
                each.transport.abort()
        with suppress(asyncio.CancelledError, ConnectionError):
            await up

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for task in carrying:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


async def everything(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def watched(url: str, generation: str, side: type[Sync] | type[Async], transport: Any, after: int) -> list[Event]:
    async with breaking(url, after) as way:
        client = side(way, Patience())
        seen: list[Event] = []
        await client.watch(None, transport, seen, generation)
        await client.close()
        return seen


async def test_every_reader_sees_the_whole_log_over_a_way_that_breaks() -> None:
    """Each side on each transport, cut at different bytes while the log is written: one answer, no gap, no double."""
    async with serving("demo=scripted:?token_ms=5&tokens=150") as served, AsyncHearth(served.url) as hearth:
        started = await hearth.start(REQUEST)
        sides: tuple[type[Sync] | type[Async], ...] = (Sync, Async)
        ways = product(sides, ("sse", "ws"), (700, 1500, 4000))
        async with asyncio.timeout(60):
            logs = await asyncio.gather(*(watched(served.url, started["id"], *way) for way in ways))
        whole = await hearth.get(started["id"])

    for seen in logs:
        assert text(seen) == whole["choices"][0]["text"]
        assert isinstance(seen[0], Opened) and isinstance(seen[-1], End)
        assert [event.offset for event in seen[1:]] == [event.offset + event.count for event in seen[:-1]]


async def test_lanes_go_on_over_a_way_that_breaks() -> None:
    """A created and an attached lane both come back on the next socket."""
    async with (
        serving("demo=scripted:?token_ms=5&tokens=100") as served,
        breaking(served.url, 2500) as way,
        AsyncHearth(way) as hearth,
        asyncio.timeout(60),
        hearth.socket() as socket,
    ):
        started = await hearth.start(REQUEST)
        lanes = [await socket.create(REQUEST), await socket.attach(started["id"])]
        logs = await asyncio.gather(*map(everything, lanes))
        for lane, seen in zip(lanes, logs, strict=True):
            assert text(seen) == (await hearth.get(lane.generation))["choices"][0]["text"]


async def test_cancel_reaches_the_server_from_a_lane_and_from_a_call() -> None:
    """The log ends as canceled, and its reader is told."""
    async with (
        serving("demo=scripted:?token_ms=5&tokens=5000") as served,
        AsyncHearth(served.url) as hearth,
        asyncio.timeout(30),
        hearth.socket() as socket,
    ):
        lane = await socket.create(REQUEST)
        await anext(lane)
        await lane.cancel()
        *_, last = [event async for event in lane]
        assert isinstance(last, End) and last.state == "canceled"

        started = await hearth.start(REQUEST)
        assert (await hearth.cancel(started["id"]))["id"] == started["id"]
        *_, last = [event async for event in hearth.watch(started["id"])]
        assert isinstance(last, End) and last.state == "canceled"


@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_the_server_s_refusals_are_understood(transport: Any) -> None:
    """The contract's codes, as the server says them."""
    async with serving("demo=scripted:?tokens=3") as served, AsyncHearth(served.url) as hearth, asyncio.timeout(30):
        generation = (await hearth.start(REQUEST))["id"]
        *_, last = [event async for event in hearth.watch(generation, transport=transport)]
        epoch = last.position.rpartition("-")[0]

        assert [event async for event in hearth.watch(generation, last.position, transport)] == []
        wrong = {"nothing-here": (generation, "epoch_mismatch"), f"{epoch}-999": (generation, "past_the_end")}
        for after, (asked, code) in {**wrong, f"{epoch}-1": ("gen_none", "unknown_generation")}.items():
            with pytest.raises(HearthError) as caught:
                await anext(hearth.watch(asked, after.replace("here", "1"), transport))
            assert caught.value.code == code


async def test_the_rest_of_the_calls() -> None:
    """models and text, as the server answers them."""
    async with serving("demo=scripted:?tokens=3") as served, AsyncHearth(served.url) as hearth, asyncio.timeout(30):
        generation = (await hearth.start(REQUEST))["id"]

        assert await hearth.text(generation) == (await hearth.get(generation))["choices"][0]["text"] != ""
        assert [model["id"] for model in await hearth.models()] == ["demo"]
        with pytest.raises(HearthError) as caught:
            await hearth.start({"model": "nobody", "messages": []})
        assert caught.value.code in ("unknown_model", "invalid_request")


@pytest.mark.parametrize("side", [Sync, Async])
async def test_a_start_with_a_key_may_be_repeated(side: type[Sync] | type[Async]) -> None:
    """It starts no second generation, and another request with the key is refused."""
    async with serving("demo=scripted:?tokens=3") as served:
        client = side(served.url, Patience())
        started = [await client.call("start", REQUEST, idempotency_key="k") for _ in range(2)]
        assert started[0]["id"] == started[1]["id"]
        with pytest.raises(HearthError) as refused:
            await client.call("start", {**REQUEST, "seed": 7}, idempotency_key="k")
        assert (refused.value.code, refused.value.status) == ("idempotency_mismatch", 422)
        await client.close()


@pytest.mark.parametrize("side", [Sync, Async])
async def test_a_server_that_wants_a_key_gets_it(side: type[Sync] | type[Async]) -> None:
    """On both transports."""
    async with serving("demo=scripted:?tokens=3", admin_key="key") as served:
        client = side(served.url, Patience())
        generation = (await client.call("start", REQUEST))["id"]
        seen: tuple[list[Event], list[Event]] = ([], [])
        await client.watch(None, "sse", seen[0], generation)
        await client.watch(None, "ws", seen[1], generation)
        assert text(seen[0]) == text(seen[1]) != ""
        await client.close()


@pytest.mark.parametrize("side", [Sync, Async])
@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_a_wrong_key_is_told_and_not_tried_again(side: type[Sync] | type[Async], transport: Any) -> None:
    """The same again would be refused again."""
    async with serving("demo=scripted:?tokens=3", admin_key="another") as served, asyncio.timeout(30):
        client = side(served.url, Patience())
        with pytest.raises(HearthError) as refused:
            await client.watch(None, transport, [], "gen_any")
        assert (refused.value.code, refused.value.status) == ("unauthorized", 401)
        await client.close()
