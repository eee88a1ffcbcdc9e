"""The loop under every SSE answer, against a transport that a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import aclosing
from typing import Any

import pytest

from gateway.errors import HearthError
from gateway.events import Delta, Event
from gateway.surfaces import stall
from gateway.surfaces.event_stream import EventStream, follow
from gateway.surfaces.lane import Lane
from gateway.surfaces.speaker import Speaker
from gateway.surfaces.streams import Watch
from tests.gateway.log.contract import FINISHED
from tests.gateway.puppet import Stage, staged
from tests.waiting import until

LONG: list[Event] = [*[Delta(0, "x" * 1000)] * 2000, FINISHED]


class Transport:
    """Takes every write at once while `takes` is set; counts what it took, and how often it was aborted."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.full_after = b""
        """What a write holds after which no other is taken."""
        self.leaves = asyncio.Event()
        self.aborts = 0
        self.scope: dict[str, Any] = {"type": "http", "method": "GET", "hearth.abort": self._abort}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.takes.wait()
            self.writes.append(message["body"])
            if self.full_after and self.full_after in message["body"]:
                self.takes.clear()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    def _abort(self) -> None:
        self.aborts += 1
        self.leaves.set()

    def serve(self, stage: Stage, log: Any) -> asyncio.Task[None]:
        """Watch that log."""

        async def frames() -> AsyncGenerator[bytes]:
            with stage.gateway.reading(log) as reader:
                following = follow(stage.gateway, reader, Watch(log), self.scope, 60, b": hello\n\n")
                async with aclosing(following):
                    async for frame in following:
                        yield frame

        return asyncio.create_task(EventStream(frames())(self.scope, self.receive, self.send))


@pytest.fixture
def transport() -> Transport:
    return Transport()


async def a_long_log(stage: Stage) -> Any:
    _, log = await stage.ask()
    await until(lambda: stage.puppet.running == 1)
    log.extend(LONG)
    return log


async def turns_of_others(task: asyncio.Task[None]) -> int:
    """How often another task ran until that one was done."""
    turns = 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_who_catches_up_lets_the_others_run(transport: Transport) -> None:
    async with staged() as stage:
        log = await a_long_log(stage)
        turns = await turns_of_others(transport.serve(stage, log))
        assert len(transport.writes) > 30
        assert turns > len(transport.writes) - 10


async def test_the_watch_lasts_until_the_transport_has_taken_the_last_write(transport: Transport) -> None:
    async with staged() as stage:
        log = await a_long_log(stage)
        transport.full_after = b"event: end"
        serving = transport.serve(stage, log)
        await until(lambda: not transport.takes.is_set())
        for _ in range(10):
            await asyncio.sleep(0)
        # The last frame is written, but lies in the transport: until it is gone, its reader can be cut.
        [reader] = log.readers
        assert reader.sending_since is not None
        assert reader.cut is not None
        transport.takes.set()
        await serving
        assert stage.gateway.readers == 0


async def test_a_cut_is_said_when_the_transport_takes_it_in_time(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stall, "LAST_WORDS_S", 0.1)
    async with staged() as stage:
        log = await a_long_log(stage)
        transport.takes.clear()
        serving = transport.serve(stage, log)
        await until(lambda: bool(log.readers) and next(iter(log.readers)).cut is not None)
        [reader] = log.readers
        reader.cut()
        reader.cut()
        transport.takes.set()
        await serving
        assert b"event: cut\n" in transport.writes[-3]
        assert transport.writes[-2:] == [b"", b""]
        # The connection may be serving its next request by now.
        clock = asyncio.get_running_loop().time
        later = clock() + 0.15
        await until(lambda: clock() > later)
        assert transport.aborts == 0


async def test_a_cut_is_carried_out_when_it_does_not(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "LAST_WORDS_S", 0.01)
    async with staged() as stage:
        log = await a_long_log(stage)
        transport.takes.clear()
        serving = transport.serve(stage, log)
        await until(lambda: bool(log.readers) and next(iter(log.readers)).cut is not None)
        next(iter(log.readers)).cut()
        await serving
        assert transport.aborts == 1
        assert stage.gateway.readers == 0


async def test_a_client_that_leaves_takes_its_reader_along(transport: Transport) -> None:
    async with staged() as stage:
        _, log = await stage.ask()
        serving = transport.serve(stage, log)
        await until(lambda: len(transport.writes) > 1)
        transport.leaves.set()
        await serving
        assert stage.gateway.readers == 0


# The same for a socket


class Wire:
    """A WebSocket that takes every message at once."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"type": "websocket"}
        self.said: list[str] = []
        self.closed: tuple[int, str] | None = None

    async def send_text(self, text: str) -> None:
        self.said.append(text)

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


async def test_a_socket_that_catches_up_lets_the_others_run() -> None:
    async with staged() as stage:
        log = await a_long_log(stage)
        wire = Wire()
        speaker = Speaker(wire, stage.gateway.draining, lambda lane: speaker.finish(HearthError("canceled")))  # type: ignore[arg-type]
        with stage.gateway.reading(log) as reader:
            Lane("a", reader, speaker.ready).rest()
            turns = await turns_of_others(asyncio.create_task(speaker.run()))
        assert wire.closed == (1000, "canceled")
        assert len(wire.said) > 10
        assert turns > len(wire.said) / 3


async def test_replies_that_nobody_takes_hold_up_who_asks() -> None:
    async with staged() as stage:
        speaker = Speaker(Wire(), stage.gateway.draining, lambda lane: None)  # type: ignore[arg-type]
        for _ in range(100):
            speaker.reply({"t": "pong"})
        waiting = asyncio.create_task(speaker.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        running = asyncio.create_task(speaker.run())
        await waiting
        stage.gateway.draining.set()
        speaker.wake()
        await running
