"""One fire, many watchers: some late, some frozen, and the writer never waits for any of them."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateway.surfaces.talking import Talk, spoken, talking
from tests.gateway.surfaces.watching import Frame, started, text, watched, watching
from tests.serving import Served, process, serving
from tests.waiting import until

WATCHERS = 200
FROZEN = 20
TOKENS = 100
# Half a megabyte in three seconds: more than what the kernel holds for who does not read.
STORY = f"demo=scripted:?token_ms=30&tokens={TOKENS}&word_bytes=5000"


def memory_of(pid: int) -> int:
    """Bytes that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


async def took(url: str, id: str) -> float:
    """How long the writer took for that generation."""
    end = (await watched(url, id))[-1]
    assert end.data["state"] == "finished"
    total: float = end.data["timings"]["total"]
    return total


async def follow(url: str, id: str, after: str) -> list[Frame]:
    async with watching(url, f"/v1/streams/{id}?after={after}") as stream:
        return await stream.all()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks the system how much memory the server holds")
async def test_two_hundred_watch_a_tenth_of_them_frozen_and_the_writer_does_not_notice() -> None:
    chance = random.Random(7)
    with process("--model", STORY, "--log-level", "warning") as server:
        url = server.url
        alone = await took(url, await started(url))
        before = memory_of(server.pid)
        id = await started(url)
        async with AsyncExitStack() as crowd, asyncio.timeout(60):
            for _ in range(FROZEN):
                await crowd.enter_async_context(watching(url, f"/v1/streams/{id}", receive_buffer=4096))
            joining = sorted((chance.randrange(TOKENS), chance.random()) for _ in range(WATCHERS - FROZEN))
            readings: list[tuple[str, asyncio.Task[list[Frame]]]] = []
            # Whoever leads sees the events as they come; at random ones of them the others join, somewhere before.
            async with watching(url, f"/v1/streams/{id}") as leader:
                async for frame in leader.frames():
                    while joining and (joining[0][0] <= frame.data["o"] or frame.event == "end"):
                        _, where = joining.pop(0)
                        epoch, _, newest = frame.position.partition("-")
                        after = f"{epoch}-{int(where * int(newest))}" if where > 0.5 and newest != "0" else ""
                        readings.append((after, asyncio.create_task(follow(url, id, after))))
            for _, reading in readings:
                await reading
            grown = memory_of(server.pid) - before
            assert await took(url, id) < alone * 1.5 + 0.5
        expected = {after: text(await watched(url, id, after)) for after in {after for after, _ in readings}}
        assert len(readings) == WATCHERS - FROZEN
        assert len(expected[""]) >= TOKENS * 5000
        assert all(text(reading.result()) == expected[after] for after, reading in readings)
        # The log itself, what the server's sockets hold, and no copy per watcher: that alone would be 100 MB.
        assert grown < 48 << 20


HUGE = "demo=scripted:?token_ms=2&tokens=200&word_bytes=30000"


async def test_a_watcher_that_takes_nothing_is_cut_and_the_others_see_nothing() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}", receive_buffer=4096):
            live = await watched(server.url, id)
            await until(lambda: server.gateway.readers == 0, 15)
        assert (live[-1].data["state"], live[-1].data["timings"]["total"] < 5) == ("finished", True)
        assert text(live) == text(await watched(server.url, id))


async def test_a_watcher_that_takes_nothing_of_an_ended_log_is_cut_too() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server:
        id = await started(server.url)
        await watched(server.url, id)
        tasks = len(asyncio.all_tasks())
        async with watching(server.url, f"/v1/streams/{id}", receive_buffer=4096):
            await until(lambda: server.gateway.readers == 1)
            await until(lambda: server.gateway.readers == 0, 15)
            await until(lambda: len(asyncio.all_tasks()) <= tasks)


def cut_count(server: Served) -> int:
    """How many readers the watch has asked to go."""
    samples = [sample for metric in server.gateway._metrics._cut.collect() for sample in metric.samples]
    return int(next(sample.value for sample in samples if sample.name.endswith("_total")))


async def test_a_watcher_that_wakes_up_in_time_hears_why_it_is_cut() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server:
        id = await started(server.url)
        await watched(server.url, id)
        async with watching(server.url, f"/v1/streams/{id}", receive_buffer=4096) as stream:
            await until(lambda: cut_count(server) == 1)
            frames = await stream.all()
        *_, last, cut = frames
        assert (cut.event, cut.position, cut.data["code"], cut.data["retry"]) == ("cut", "", "slow_reader", True)
        whole = text(await watched(server.url, id))
        assert text(frames) + text(await watched(server.url, id, last.position)) == whole


async def test_a_socket_that_wakes_up_in_time_hears_why_it_is_cut() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server, talking(server.url, max_queue=1) as talk:
        id = await started(server.url)
        await watched(server.url, id)
        await talk.say("attach", "a", generation=id)
        await until(lambda: cut_count(server) == 1)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await talk.hear()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4008, "slow_reader")


async def test_a_watcher_that_catches_up_with_a_long_log_is_not_cut_for_being_behind() -> None:
    async with serving(HUGE, reader_stall_s=0.5, reader_lag_bytes=100_000) as server:
        id = await started(server.url)
        await watched(server.url, id)
        async with watching(server.url, f"/v1/streams/{id}", receive_buffer=65536) as stream, asyncio.timeout(60):
            said = 0
            async for frame in stream.frames():
                said += len(frame.data.get("d", ""))
            assert frame.event == "end"
            assert said == len(text(await watched(server.url, id)))


async def test_a_frozen_socket_is_cut_and_the_others_see_nothing() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server:
        id = await started(server.url)
        async with talking(server.url, max_queue=1) as frozen, talking(server.url) as lively:
            for talk in (frozen, lively):
                await talk.say("attach", "a", generation=id)
            heard = (await lively.to_the_end("a"))["a"]
            await until(lambda: server.gateway.readers == 0, 15)
            frozen.connection.transport.abort()
        assert heard[-1]["state"] == "finished"
        assert spoken(heard) == text(await watched(server.url, id))


async def test_a_lane_that_catches_up_does_not_hold_up_a_live_one() -> None:
    models = ["big=scripted:?tokens=1500&word_bytes=4000", "live=scripted:?token_ms=1&tokens=40"]
    async with serving(*models) as server, talking(server.url) as talk:
        big = await started(server.url, model="big")
        await watched(server.url, big)
        for lane in range(4):
            await talk.say("attach", f"big {lane}", generation=big)
        await talk.say("create", "live", request={"model": "live", "prompt": "once", "max_tokens": 40})
        order = await _order_of_ends(talk, 5)
        assert order[0] == "live"


async def _order_of_ends(talk: Talk, count: int) -> list[str]:
    order: list[str] = []
    while len(order) < count:
        order.append((await talk.hear(t="end"))["id"])
    return order
