"""Several replicas, one Redis: whichever a client reaches, it finds the same streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateway.surfaces.raw import CHAT, engine_of
from tests.gateway.surfaces.talking import spoken, talking
from tests.gateway.surfaces.watching import Frame, started, text, watched, watching
from tests.redis_server import RedisProcess, redis_process
from tests.serving import Served, serving
from tests.waiting import until

SLOW = "demo=scripted:?token_ms=10&tokens=60"
ENDLESS = "demo=scripted:?token_ms=10&tokens=100000"


@asynccontextmanager
async def replicas(url: str, count: int = 2, model: str = SLOW, **settings: Any) -> AsyncIterator[list[Served]]:
    """So many servers in this loop."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(serving(model, **{"redis_url": url, "lease_s": 0.5, **settings}))
            for _ in range(count)
        ]


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    with redis_process() as server:
        yield server


async def some(url: str, id: str, count: int) -> list[Frame]:
    """The first events, then the connection is dropped."""
    frames: list[Frame] = []
    async with watching(url, f"/v1/streams/{id}") as stream:
        async for frame in stream.frames():
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


async def test_any_replica_serves_any_stream_from_any_position(redis_url: str) -> None:
    async with replicas(redis_url, 3) as (one, *others):
        id = await started(one.url)
        seen = await some(one.url, id, 10)
        everywhere = await asyncio.gather(*(watched(each.url, id) for each in (one, *others)))
        assert len({text(frames) for frames in everywhere}) == 1
        for frame in seen:
            for other in others:
                rest = await watched(other.url, id, frame.position)
                before = [each for each in seen if each.data["o"] <= frame.data["o"]]
                assert text(before) + text(rest) == text(everywhere[0])


async def test_a_stop_reaches_the_replica_that_answers(redis_url: str) -> None:
    async with replicas(redis_url, model=ENDLESS) as (one, other), httpx.AsyncClient(timeout=10) as client:
        id = await started(one.url)
        await until(lambda: engine_of(one).running == 1)
        answer = await client.delete(f"{other.url}/v1/streams/{id}")
        assert answer.json() == {"id": id, "state": "canceled"}
        assert engine_of(one).running == 0


async def test_a_watcher_elsewhere_keeps_a_generation_alive_and_leaving_lets_it_end(redis_url: str) -> None:
    async with replicas(redis_url, model=ENDLESS, abandon_after_s=0.2) as (one, other):
        id = await started(one.url)
        async with watching(other.url, f"/v1/streams/{id}") as stream:
            seen = 0
            async for frame in stream.frames():
                seen += 1
                if frame.data["o"] > 600:
                    break
        # Six seconds on, far longer than it would have been waited for a first reader, and it was still speaking.
        assert seen > 100
        await until(lambda: engine_of(one).running == 0, 20)


async def test_a_plain_client_that_leaves_ends_its_answer_unless_somebody_watches_elsewhere(redis_url: str) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    async with replicas(redis_url, model=ENDLESS) as (one, other), httpx.AsyncClient(base_url=one.url) as client:
        async with client.stream("POST", "/v1/chat/completions", json=body) as alone:
            assert alone.headers["x-generation-id"]
        await until(lambda: engine_of(one).running == 0)
        async with AsyncExitStack() as stack:
            async with client.stream("POST", "/v1/chat/completions", json=body) as watched_too:
                id = watched_too.headers["x-generation-id"]
                stream = await stack.enter_async_context(watching(other.url, f"/v1/streams/{id}"))
                frames = await stack.enter_async_context(aclosing(stream.frames()))
                await anext(frames)
            for _ in range(200):
                await anext(frames)
            assert engine_of(one).running == 1


async def test_a_replica_that_goes_down_hands_over_and_its_readers_lose_nothing(redis_url: str) -> None:
    # No lease lapses here: what is let go of is taken at once.
    async with replicas(redis_url, lease_s=60) as (one, other), talking(one.url) as talk:
        near, far = await started(one.url, max_tokens=60), await started(one.url, max_tokens=60)
        lane = await talk.create("a", resumable=True, max_tokens=60)
        reading = asyncio.create_task(watched(other.url, far))
        async with watching(one.url, f"/v1/streams/{near}") as stream:
            frames = [frame async for frame in _until_cut(stream.frames(), one)]
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frames_ws = await talk.hear("a")
                last = frames_ws
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        cut = frames.pop()
        assert (cut.event, cut.data["code"], stream.retry is not None) == ("cut", "draining", True)
        rest = await watched(other.url, near, frames[-1].position)
        whole = await reading
        words = len(text(frames + rest).split())
        assert words == len(text(whole).split()) == 60
        assert [frame.data["kind"] for frame in rest if frame.event == "note"] == ["takeover"]
        rest_ws = await watched(other.url, lane)
        assert len(text(rest_ws).split()) == 60
        assert last["o"] < rest_ws[-1].data["o"]


async def _until_cut(frames: AsyncIterator[Frame], served: Served) -> AsyncIterator[Frame]:
    draining: asyncio.Task[None] | None = None
    async for frame in frames:
        yield frame
        if draining is None and frame.data.get("o", 0) > 10:
            draining = asyncio.create_task(served.gateway.drain(0))
    assert draining is not None
    await draining


async def test_new_work_is_served_while_redis_is_away_and_every_replica_has_it_afterwards(
    own_redis: RedisProcess,
) -> None:
    async with replicas(own_redis.url) as (one, other), httpx.AsyncClient(timeout=20) as client:
        assert (await client.get(f"{one.url}/readyz")).json()["degraded"] == []
        await asyncio.to_thread(own_redis.kill)
        id = await started(one.url)
        whole = await watched(one.url, id)
        assert (len(text(whole).split()), whole[-1].data["state"]) == (60, "finished")
        ready = await client.get(f"{one.url}/readyz")
        assert ready.status_code == 200
        assert ready.json()["degraded"][0].startswith("Redis")
        assert "hearth_store_up 0.0" in (await client.get(f"{one.url}/metrics")).text
        await asyncio.to_thread(own_redis.start)
        async with asyncio.timeout(20):
            while (await client.get(f"{other.url}/v1/streams/{id}")).status_code != 200:
                pass
        assert text(await watched(other.url, id)) == text(whole)
        async with asyncio.timeout(20):
            while (await client.get(f"{one.url}/readyz")).json()["degraded"]:
                pass


async def test_a_browser_is_told_to_come_back_and_others_get_a_status(own_redis: RedisProcess) -> None:
    async with replicas(own_redis.url) as (one, other), httpx.AsyncClient(timeout=20) as client:
        id = await started(one.url)
        await asyncio.to_thread(own_redis.kill)
        path = f"/v1/streams/{id}"
        told = await client.get(f"{other.url}{path}", headers={"accept": "text/event-stream"})
        assert (told.status_code, told.headers["content-type"]) == (200, "text/event-stream")
        retry, event, data = told.text.strip().splitlines()
        assert (retry.partition(":")[0], event) == ("retry", "event: cut")
        said = json.loads(data.removeprefix("data: "))
        assert (said["code"], said["retry"]) == ("log_unavailable", True)
        refused = await client.get(f"{other.url}{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "log_unavailable")


async def test_a_socket_is_told_when_positions_are_written_with_another_epoch(own_redis: RedisProcess) -> None:
    async with replicas(own_redis.url) as (one, other), talking(one.url) as talk:
        await talk.say("create", "a", request={**CHAT, "max_tokens": 60}, resumable=True)
        attached = await talk.hear("a", "attached")
        with own_redis.frozen():
            told = await talk.hear("a", "epoch")
            assert told["epoch"] != attached["epoch"]
        said = await talk.to_the_end("a")
        assert spoken(said["a"])
        whole = await watched(other.url, attached["generation"])
        assert text(whole).endswith(spoken(said["a"]))
        # A position of then is good everywhere.
        rest = await watched(other.url, attached["generation"], f"{told['epoch']}-{said['a'][0]['o']}")
        assert text(whole).endswith(text(rest))
