"""A server that speaks docs/http.md about one log, and breaks off exactly where a test says."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

EPOCH = "k3f9a2xq"
GENERATION = "gen_1"

EndOfConnection = Literal["close", "reset", "cut", "silence", "refuse"]


@dataclass(frozen=True)
class Plan:
    """What becomes of one connection: it ends so, after this many events, or after this many bytes of SSE."""

    end: EndOfConnection = "close"
    events: int | None = None
    bytes: int | None = None
    status: int = 200
    body: Mapping[str, Any] = field(default_factory=dict)
    close: int = 1012
    mute: bool = False
    """Whether it ends before anything was said to what a WebSocket's client asks."""


class Ask(NamedTuple):
    """What a client asked to follow."""

    transport: str
    after: str | None


def numbered(*records: tuple[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """A log of these events."""
    return [(name, {"o": offset, "n": 1, **data}) for offset, (name, data) in enumerate(records)]


def story() -> list[tuple[str, dict[str, Any]]]:
    """A log with every kind of event, and text that takes one to four bytes a character."""
    deltas = [{"c": 0, "d": piece} for piece in ("Once", " a föx", " 狐", " 🦊\n", " met\r", " an owl.")]
    return numbered(
        ("opened", {"generation": GENERATION, "model": "demo", "created": 1}),
        ("accepted", {"prompt_tokens": 12, "cached_tokens": 0}),
        ("progress", {"stage": "prefill", "message": "reading"}),
        *(("delta", data) for data in deltas[:3]),
        ("output", {"value": {"answer": 42}}),
        ("log", {"text": "step 1"}),
        ("note", {"kind": "takeover", "message": "another runner went on"}),
        *(("delta", data) for data in deltas[3:]),
        ("delta", {"c": 0, "d": "", "finish": "stop"}),
        ("end", {"state": "finished", "reason": "stop", "usage": {"completion_tokens": 6}, "timings": {}}),
    )


TEXT = "Once a föx 狐 🦊\n met\r an owl."


class FakeHearth:
    """Give it plans for the connections to come; without one a connection serves the whole log."""

    def __init__(self) -> None:
        self.url = ""
        self.records = story()
        self.plans: deque[Plan] = deque()
        self.asks: list[Ask] = []
        self.frames: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}

    def events_after(self, after: str | None) -> list[tuple[str, dict[str, Any]]]:
        start = 0 if after is None else int(after.rpartition("-")[2]) + 1
        return self.records[start:]

    def sse(self, after: str | None, plan: Plan) -> bytes:
        body = [b"retry: 1\n\n: open\n\n"]
        for name, data in self.events_after(after)[: plan.events]:
            text = json.dumps(data, ensure_ascii=False)
            body.append(f"id: {EPOCH}-{data['o'] + data['n'] - 1}\nevent: {name}\ndata: {text}\n\n".encode())
        if plan.end == "cut":
            body.append(b'event: cut\ndata: {"code":"draining","message":"bye","retry":true}\n\n')
        return b"".join(body)[: plan.bytes]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, *rest = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (item.partition(": ") for item in rest if item)}
            self.headers.append(headers)
            if headers.get("upgrade") == "websocket":
                await _WebSocket(self, reader, writer).run(head)
            else:
                method, path, _ = line.split(" ")
                await self._http(method, path, headers, reader, writer)
        writer.close()

    async def _http(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if headers.get("accept") != "text/event-stream":
            sent = await reader.readexactly(int(headers.get("content-length", 0)))
            self.frames.append(json.loads(sent) if sent else {})
            _answer(writer, *self.answers[method, path])
            return
        after = headers.get("last-event-id")
        self.asks.append(Ask("sse", after))
        plan = self.plans.popleft() if self.plans else Plan()
        if plan.end == "refuse" or plan.status != 200:
            _answer(writer, plan.status, plan.body)
        elif not self.events_after(after):
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        else:
            await self._stream(self.sse(after, plan), plan, reader, writer)

    async def _stream(
        self, body: bytes, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        if body:
            writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        if plan.end == "silence":
            await reader.read()
        elif plan.end == "reset":
            await writer.drain()
            writer.transport.abort()
        elif plan.bytes is None:
            writer.write(b"0\r\n\r\n")


class _WebSocket:
    def __init__(self, fake: FakeHearth, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._fake = fake
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol()
        self._plan = fake.plans.popleft() if fake.plans else Plan()
        self._left = self._plan.events

    async def run(self, head: bytes) -> None:
        if self._plan.end == "refuse":
            return _answer(self._writer, self._plan.status, self._plan.body)
        self._protocol.receive_data(head)
        (request,) = self._protocol.events_received()
        assert isinstance(request, Request)
        self._protocol.send_response(self._protocol.accept(request))
        while not self._protocol.close_expected():
            self._flush()
            data = await self._reader.read(65536)
            if not data:
                break
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                assert isinstance(frame, Frame)
                if frame.opcode is Opcode.TEXT and not self._hear(json.loads(bytes(frame.data))):
                    return self._break_off()
        self._flush()

    def _hear(self, frame: dict[str, Any]) -> bool:
        """Answer one frame; False when this connection's plan is fulfilled."""
        self._fake.frames.append(frame)
        match frame["t"]:
            case "ping" if self._plan.end != "silence":
                self._send({"t": "pong"})
            case "create" | "attach":
                return self._follow(frame)
            case "detach":
                self._send({"t": "detached", "id": frame["id"]})
        return True

    def _follow(self, frame: dict[str, Any]) -> bool:
        lane, after = frame["id"], frame.get("after")
        self._fake.asks.append(Ask("ws", after))
        if self._plan.body:
            self._send({"t": "error", "id": lane, **self._plan.body})
            return True
        if self._plan.mute:
            return False
        generation = frame.get("generation", GENERATION)
        self._send({"t": "attached", "id": lane, "generation": generation, "epoch": EPOCH, "from": 0, "tail": -1})
        events = self._fake.events_after(after)
        if not events:
            self._send({"t": "detached", "id": lane})
        for name, data in events:
            if self._left == 0:
                break
            self._send({"t": name, "id": lane, **data})
            self._left = None if self._left is None else self._left - 1
        if self._left == 0 and self._plan.end == "cut":
            self._send({"t": "error", "id": lane, "code": "draining", "message": "bye", "retry": True})
            self._plan, self._left = Plan(), None
        return self._left != 0 or self._plan.end == "silence"

    def _break_off(self) -> None:
        if self._plan.end == "close":
            self._protocol.send_close(self._plan.close)
        self._flush()
        if self._plan.end == "reset":
            self._writer.transport.abort()

    def _send(self, frame: Mapping[str, Any]) -> None:
        self._protocol.send_text(json.dumps(frame).encode())

    def _flush(self) -> None:
        self._writer.write(b"".join(self._protocol.data_to_send()))


def _answer(writer: asyncio.StreamWriter, status: int, body: Mapping[str, Any]) -> None:
    text = json.dumps(body).encode()
    # One connection, one answer: a client that was not told might send its next request into the closing one.
    head = b"HTTP/1.1 %d Told\r\ncontent-length: %d\r\nretry-after: 0\r\nconnection: close\r\n\r\n"
    writer.write(head % (status, len(text)) + text)


@contextmanager
def serving() -> Iterator[FakeHearth]:
    """Serve in a thread, so that the threaded client can be tested as it is used."""
    fake, loop, up = FakeHearth(), asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        up.set()
        await stop.wait()
        server.close()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert up.wait(10)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.close()
