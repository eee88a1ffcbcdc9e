"""A client that leaves is noticed at once, in every phase, and nothing goes on for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engines.base import Prompt, Said
from engines.pouring import Take
from engines.scripted.engine import ScriptedEngine
from tests.gateway.surfaces.raw import CHAT, Line, engine_of, line
from tests.serving import Served, serving
from tests.waiting import until

FOREVER = "60000"
STREAMS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


@asynccontextmanager
async def asking(served: Served, stream: bool, **headers: str) -> AsyncIterator[Line]:
    """A client that has asked and whose generation runs."""
    async with line(served) as client:
        await client.post(CHAT | {"stream": stream}, **headers)
        await until(lambda: served.gateway.running == 1)
        yield client


async def is_over(served: Served) -> None:
    await until(lambda: served.gateway.running == 0 and served.gateway.readers == 0)


@STREAMS
async def test_leaving_while_the_model_boots_takes_the_call_back(stream: bool) -> None:
    async with serving(f"demo=scripted:?boot_ms={FOREVER}", preload=False) as served:
        async with asking(served, stream) as client:
            if stream:
                await client.hear(b": booting demo: ")
            else:
                await until(lambda: served.gateway.readers == 1)
        await is_over(served)
        assert engine_of(served).aborted == []
        # The boot itself goes on: the next caller will be glad of it.
        assert served.gateway.pool.seats["demo"].state == "booting"


@STREAMS
async def test_leaving_before_the_engine_took_the_prompt_aborts_it(
    stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def silent(self: ScriptedEngine, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()

    monkeypatch.setattr(ScriptedEngine, "pour", silent)
    async with serving() as served:
        async with asking(served, stream):
            await asyncio.wait_for(asked.wait(), 5)
        await is_over(served)
        assert closed.is_set()


@STREAMS
async def test_leaving_in_prefill_aborts_the_engine(stream: bool) -> None:
    async with serving(f"demo=scripted:?prefill_ms={FOREVER}") as served:
        async with asking(served, stream) as client:
            await until(lambda: engine_of(served).running == 1)
            if stream:
                await client.hear(b"\r\n\r\n")
        await is_over(served)
        assert len(engine_of(served).aborted) == 1


@STREAMS
async def test_leaving_between_tokens_aborts_the_engine(stream: bool) -> None:
    async with serving("demo=scripted:?tokens=1000000&token_ms=1") as served:
        async with asking(served, stream) as client:
            await until(lambda: engine_of(served).running == 1)
            if stream:
                await client.hear(b'"delta":{"content":"')
        await is_over(served)
        assert len(engine_of(served).aborted) == 1


@STREAMS
async def test_leaving_while_the_engine_is_silent_aborts_it(stream: bool) -> None:
    async with serving("demo=scripted:?stall_at=2") as served:
        async with asking(served, stream) as client:
            await until(lambda: engine_of(served).running == 1)
            client.drop()
        await is_over(served)
        assert len(engine_of(served).aborted) == 1


async def test_leaving_while_the_body_is_sent_starts_nothing() -> None:
    async with serving() as served:
        async with line(served) as client:
            await client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
        async with asking(served, True) as other:
            await other.hear(b"[DONE]")
        # The second one alone was counted.
        assert len(served.gateway._logs.held) == 1  # type: ignore[attr-defined]


async def test_client_that_takes_nothing_more_and_leaves_frees_everything() -> None:
    async with serving("demo=scripted:?tokens=100000&word_bytes=1000", generation_bytes=1 << 30) as served:
        async with asking(served, True) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: any(reader.sending_since for reader in served.gateway._readers))
            client.drop()
        await is_over(served)


async def test_client_that_takes_nothing_and_stays_is_cut() -> None:
    endless = "demo=scripted:?tokens=100000&token_ms=1&word_bytes=20000"
    async with serving(endless, generation_bytes=1 << 30, reader_stall_s=0.1) as served:
        async with asking(served, True) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await is_over(served)
        assert len(engine_of(served).aborted) == 1


async def test_leaving_for_another_call_on_the_same_connection_is_not_leaving() -> None:
    async with serving("demo=scripted:?tokens=3") as served, line(served) as client:
        for _ in range(3):
            await client.post(CHAT | {"stream": True})
            assert b"[DONE]" in await client.hear(b"0\r\n\r\n")
            await client.post(CHAT)
            await client.hear(b'"finish_reason":"stop"}]')
            await client.hear(b"}}")
        assert engine_of(served).aborted == []


async def test_crowd_that_leaves_at_any_moment_leaves_nothing_behind() -> None:
    async with serving("demo=scripted:?tokens=200&token_ms=1&prefill_ms=5&boot_ms=20", preload=False) as served:

        async def visit(number: int) -> None:
            async with line(served) as client:
                await client.post(CHAT | {"stream": number % 3 > 0, "n": 1 + number % 2})
                for _ in range(number * 7):
                    await asyncio.sleep(0)
                if number % 5 == 0:
                    client.drop()

        await asyncio.gather(*(visit(number) for number in range(60)))
        await is_over(served)
        assert engine_of(served).running == 0


async def test_somebody_else_who_watches_keeps_it_going() -> None:
    async with serving("demo=scripted:?tokens=200&token_ms=1") as served, line(served) as watcher:
        async with asking(served, True) as client:
            head = (await client.hear(b"\r\n\r\n")).decode().lower()
            place = head.partition("location: ")[2].partition("\r\n")[0]
            await watcher.send(f"GET {place} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            await watcher.hear(b"event: delta")
        assert b'"state":"finished"' in await watcher.hear(b'"state":"finished"')
        assert engine_of(served).aborted == []


async def test_resumable_stream_goes_on_without_its_reader() -> None:
    async with serving("demo=scripted:?tokens=50&token_ms=1", abandon_after_s=30) as served:
        async with asking(served, True, x_resumable="1") as client:
            await client.hear(b'"delta":{"content":"')
        await is_over(served)
        assert engine_of(served).aborted == []


async def test_resumable_stream_nobody_comes_back_to_is_stopped() -> None:
    async with serving(f"demo=scripted:?prefill_ms={FOREVER}", abandon_after_s=0.05) as served:
        async with asking(served, True, x_resumable="1") as client:
            await client.hear(b"\r\n\r\n")
        await is_over(served)
        assert len(engine_of(served).aborted) == 1
