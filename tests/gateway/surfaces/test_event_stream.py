"""The writing under every SSE answer, into a connection that a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.types import Scope

from gateway.errors import HearthError
from gateway.events import Delta, Event
from gateway.log.local import Reader
from gateway.surfaces import stall
from gateway.surfaces.event_stream import EventStream
from gateway.surfaces.following import KEEP_ALIVE, Dialect, Following
from gateway.surfaces.lane import Lane
from gateway.surfaces.speaker import Speaker
from gateway.surfaces.streams import Watch
from tests.gateway.log.contract import FINISHED
from tests.gateway.puppet import Stage, staged
from tests.waiting import until

LONG: list[Event] = [*[Delta(0, "x" * 1000)] * 2000, FINISHED]


class Connection:
    """A client's connection. It takes every write until one holds `full_after`; then it is full until `take`."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.full_after: bytes | None = None
        self.full = self.gone = False
        self.on_change: Callable[[], None] | None = None
        self.aborts = 0
        self.messages: list[str] = []
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "hearth.abort": self._abort,
            "hearth.channel": self,
        }

    def write(self, body: bytes) -> None:
        self.writes.append(body)
        self.full |= self.full_after is not None and self.full_after in body

    def take(self) -> None:
        """Take all that is unsent, and whatever comes."""
        self.full, self.full_after = False, None
        self._changed()

    def leave(self) -> None:
        self.gone = True
        self._changed()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(message["type"])
        if message.get("body"):
            self.writes.append(message["body"])

    async def receive(self) -> MutableMapping[str, Any]:
        raise AssertionError("nobody asks: the connection tells")

    def _abort(self) -> None:
        self.aborts += 1
        self.leave()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def serve(self, stage: Stage, log: Any, dialect: Dialect | None = None, **more: Any) -> asyncio.Task[None]:
        """Watch that log."""
        return asyncio.create_task(a_stream(stage, log, dialect, **more)(self.scope, self.receive, self.send))


def a_stream(stage: Stage, log: Any, dialect: Dialect | None = None, keep_alive_s: float = 60, **more: Any) -> Any:
    @contextmanager
    def following(scope: Scope) -> Iterator[Following]:
        with stage.gateway.reading(log) as reader:
            said = dialect or Watch(log)
            yield Following(stage.gateway, reader, said, scope, keep_alive_s, b": hello\n\n", **more)

    return EventStream(following)


@pytest.fixture
def connection() -> Connection:
    return Connection()


async def a_log(stage: Stage, *events: Event) -> Any:
    _, log = await stage.ask()
    await until(lambda: stage.puppet.running == 1)
    log.extend(events)
    return log


async def turns_of_others(task: asyncio.Task[None]) -> int:
    """How often another task ran until that one was done."""
    turns = 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_who_catches_up_lets_the_others_run(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage, *LONG)
        turns = await turns_of_others(connection.serve(stage, log))
        assert len(connection.writes) > 30
        assert turns > len(connection.writes) - 10
        assert connection.messages == ["http.response.start", "http.response.body"]


async def test_what_comes_before_a_readers_turn_goes_with_one_write(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage)
        serving = connection.serve(stage, log)
        await until(lambda: len(connection.writes) == 2)
        for word in ("a", "b", "c"):
            log.extend([Delta(0, word)])
        await until(lambda: len(connection.writes) == 3)
        assert b'"d":"abc"' in connection.writes[2]
        connection.leave()
        await serving


async def test_a_full_connection_is_written_to_no_more_until_it_has_room(connection: Connection) -> None:
    async with staged() as stage:
        connection.full_after = b"opened"
        log = await a_log(stage)
        serving = connection.serve(stage, log)
        await until(lambda: connection.full)
        log.extend([Delta(0, "a"), FINISHED])
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(connection.writes) == 2 and not serving.done()
        connection.take()
        await serving
        assert b"event: end" in connection.writes[-1]


async def test_the_watch_lasts_until_the_connection_has_taken_the_last_write(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage, *LONG)
        connection.full_after = b"event: end"
        serving = connection.serve(stage, log)
        await until(lambda: connection.full)
        for _ in range(10):
            await asyncio.sleep(0)
        # The last frame is written, but lies in the transport: until it is gone, its reader can be cut.
        [reader] = log.readers
        assert reader.sending_since is not None
        assert reader.cut is not None
        connection.take()
        await serving
        assert stage.gateway.readers == 0


async def test_a_cut_is_said_when_the_connection_takes_it_in_time(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stall, "LAST_WORDS_S", 0.1)
    async with staged() as stage:
        log = await a_log(stage, *LONG)
        connection.full_after = b"opened"
        serving = connection.serve(stage, log)
        await until(lambda: connection.full)
        [reader] = log.readers
        assert reader.cut is not None
        reader.cut()
        reader.cut()
        connection.take()
        await serving
        assert b"event: cut\n" in connection.writes[-1]
        # The connection may be serving its next request by now.
        clock = asyncio.get_running_loop().time
        later = clock() + 0.15
        await until(lambda: clock() > later)
        assert connection.aborts == 0


async def test_a_cut_is_carried_out_when_it_does_not(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "LAST_WORDS_S", 0.01)
    async with staged() as stage:
        log = await a_log(stage, *LONG)
        connection.full_after = b"opened"
        serving = connection.serve(stage, log)
        await until(lambda: connection.full)
        next(iter(log.readers)).cut()
        await serving
        assert connection.aborts == 1
        assert stage.gateway.readers == 0


async def test_a_client_that_leaves_takes_its_reader_along(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage)
        serving = connection.serve(stage, log)
        await until(lambda: len(connection.writes) > 1)
        connection.leave()
        await serving
        assert stage.gateway.readers == 0
        assert connection.messages == ["http.response.start"]


async def test_a_comment_goes_through_every_silence(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage)
        serving = connection.serve(stage, log, keep_alive_s=0.01)
        await until(lambda: connection.writes.count(KEEP_ALIVE) > 2)
        log.extend([FINISHED])
        await serving
        assert b"event: end" in connection.writes[-1]


async def test_a_stream_that_rotates_ends_with_the_next_frame(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage)
        await connection.serve(stage, log, keep_alive_s=0.01, rotates=0.02)
        assert connection.writes[-1] == KEEP_ALIVE
        assert connection.messages[-1] == "http.response.body"


async def test_a_log_that_is_lost_is_told_behind_what_there_was(connection: Connection) -> None:
    async with staged() as stage:
        log = await a_log(stage, Delta(0, "all that came"))
        log.lose("log_unavailable")
        await connection.serve(stage, log)
        assert b"all that came" in connection.writes[-2]
        assert b"event: cut\n" in connection.writes[-1]


async def test_a_dialect_that_breaks_fails_its_own_request_alone(connection: Connection) -> None:
    class Broken(Watch):
        def frames(self, reader: Reader) -> bytes:
            raise ValueError("what was that?")

    async with staged() as stage:
        log = await a_log(stage)
        other = Connection()
        whole = other.serve(stage, log)
        with pytest.raises(ValueError, match="what was that"):
            await connection.serve(stage, log, Broken(log))
        log.extend([FINISHED])
        await whole
        assert b"event: end" in other.writes[-1]


async def test_under_another_server_it_is_the_librarys_own_response(connection: Connection) -> None:
    del connection.scope["hearth.channel"]
    bodies: list[bytes] = []
    leaves = asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        bodies.append(message.get("body", b""))

    async def receive() -> MutableMapping[str, Any]:
        await leaves.wait()
        return {"type": "http.disconnect"}

    async with staged() as stage:
        log = await a_log(stage, Delta(0, "one"))
        serving = asyncio.create_task(a_stream(stage, log, keep_alive_s=0.01)(connection.scope, receive, send))
        await until(lambda: KEEP_ALIVE in bodies)
        log.extend([FINISHED])
        await serving
        said = b"".join(bodies)
        assert said.startswith(b": hello\n\n") and b'"d":"one"' in said and b"event: end" in said
        assert (connection.writes, stage.gateway.readers) == ([], 0)


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
        log = await a_log(stage, *LONG)
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
