"""A stop reaches the engine in every phase and by every way, and a server that goes down says how to go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.gateway.surfaces.raw import engine_of
from tests.gateway.surfaces.talking import talking
from tests.gateway.surfaces.watching import started, watched, watching
from tests.serving import Served, serving
from tests.waiting import until

SOON_S = 0.25
PHASES = {
    "booting": "demo=scripted:?boot_ms=60000",
    "prefill": "demo=scripted:?prefill_ms=60000",
    "decode": "demo=scripted:?token_ms=20&tokens=10000",
}
Stop = Callable[[], Awaitable[object]]


@asynccontextmanager
async def by_delete(server: Served) -> AsyncIterator[tuple[str, Stop]]:
    id = await started(server.url)
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield id, lambda: client.delete(f"/v1/streams/{id}")


@asynccontextmanager
async def by_frame(server: Served) -> AsyncIterator[tuple[str, Stop]]:
    async with talking(server.url) as talk:
        id = await talk.create("a", resumable=True)
        yield id, lambda: talk.say("cancel", "a")


@asynccontextmanager
async def by_detaching(server: Served) -> AsyncIterator[tuple[str, Stop]]:
    async with talking(server.url) as talk:
        id = await talk.create("a")
        yield id, lambda: talk.say("detach", "a")


@asynccontextmanager
async def by_closing(server: Served) -> AsyncIterator[tuple[str, Stop]]:
    async with talking(server.url) as talk:
        id = await talk.create("a")
        yield id, talk.connection.close


@asynccontextmanager
async def by_vanishing(server: Served) -> AsyncIterator[tuple[str, Stop]]:
    async with talking(server.url) as talk:
        id = await talk.create("a")

        async def vanish() -> None:
            talk.connection.transport.abort()

        yield id, vanish


WAYS = [by_delete, by_frame, by_detaching, by_closing, by_vanishing]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("phase", PHASES)
async def test_a_stop_is_quick_in_every_phase(phase: str, way: Callable[..., object]) -> None:
    async with serving(PHASES[phase], preload=False) as server, way(server) as (id, stop):  # type: ignore[attr-defined]
        log = await server.gateway.open(id, "local")
        if phase == "booting":
            await until(lambda: log.generation.state == "booting")
        else:
            await until(lambda: engine_of(server).running == 1 and log.generation.state == "running")
        if phase == "decode":
            begun = log.tail
            await until(lambda: log.tail > begun + 2)
        asked_at = asyncio.get_running_loop().time()
        await stop()
        await until(lambda: log.ended and engine_of(server).running == 0 and server.gateway.running == 0)
        assert asyncio.get_running_loop().time() - asked_at < SOON_S
        end = (await watched(server.url, id))[-1]
        assert end.data["state"] == "canceled"
        assert end.data["reason"] == ("caller" if way in (by_delete, by_frame) else "abandoned")


async def test_a_watcher_that_stays_keeps_a_lane_that_left_alive() -> None:
    async with serving(PHASES["decode"]) as server, talking(server.url) as talk:
        id = await talk.create("a")
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            await until(lambda: server.gateway.readers == 2)
            await talk.connection.close()
            await until(lambda: server.gateway.readers == 1)
            seen = 0
            async for frame in stream.frames():
                seen += frame.event == "delta"
                if seen == 5:
                    break
        # Without a grace it ends with its last watcher.
        await until(lambda: engine_of(server).running == 0)


async def test_a_server_that_goes_down_sends_its_watchers_away_with_a_way_back() -> None:
    async with serving(PHASES["prefill"]) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            frames = stream.frames()
            async for frame in frames:
                if frame.event == "accepted":
                    break
            draining = asyncio.create_task(server.gateway.drain(0))
            rest = [frame async for frame in frames]
            await draining
        cut = rest[-1]
        assert (cut.event, cut.position) == ("cut", "")
        assert (cut.data["code"], cut.data["retry"]) == ("draining", True)
        assert cut.data["message"]


async def test_a_server_that_goes_down_lets_a_short_answer_end() -> None:
    async with serving("demo=scripted:?token_ms=5&tokens=40") as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            await until(lambda: server.gateway.readers == 1)
            draining = asyncio.create_task(server.gateway.drain(30))
            frames = await stream.all()
            await draining
        assert (frames[-1].event, frames[-1].data["state"]) == ("end", "finished")
        async with httpx.AsyncClient(base_url=server.url) as client:
            refused = await client.post("/v1/streams", json={"model": "demo", "prompt": "once"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
