"""An upstream that says byte for byte what a test wants, and breaks where it wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream

MODELS: Final = {"data": [{"id": "fake", "owned_by": "somebody"}]}
BEAT: Final = {"choices": [{"index": 0, "message": {"content": "."}, "finish_reason": "length"}]}
DONE: Final = b"data: [DONE]\n\n"


def event(choice: dict[str, Any] | None = None, **beside: Any) -> bytes:
    """One event, of one choice or of none."""
    chunk = {"id": "x", "object": "chat.completion.chunk", "choices": [] if choice is None else [choice], **beside}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def said(content: str | None = None, finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    """A chat's choice."""
    return {"index": index, "delta": {"content": content, **delta}, "finish_reason": finish}


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Answer(NamedTuple):
    """How one is answered: its head, then each piece in a write of its own. `cut` breaks the connection then."""

    pieces: Sequence[bytes]
    status: int = 200
    type: str = "text/event-stream"
    headers: Sequence[str] = ()
    cut: bool = False
    hang: bool = False


def told(status: int, body: Any, *headers: str) -> Answer:
    """A whole answer in JSON."""
    return Answer([json.dumps(body).encode()], status, "application/json", headers)


class Fake:
    """Answers streamed requests with `answer`, and whatever else by its path."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answer = Answer([event(said("hi")), event(said(None, "stop")), DONE])
        self.paths: dict[str, Answer] = {
            "/v1/models": told(200, MODELS),
            "/v1/chat/completions": told(200, BEAT),
            "/health": told(200, {}),
        }
        self.left = asyncio.Event()
        """Set when a client went before its answer had ended."""
        self.silent = False
        """Whether it says nothing at all to a streamed request."""
        self.connections = 0
        """How many streamed requests came on a fresh connection."""
        self._once: dict[str, tuple[Answer, asyncio.Event]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def once(self, path: str, answer: Answer) -> asyncio.Event:
        """Answer the next request for that path so; set when it came."""
        self._once[path] = answer, asyncio.Event()
        return self._once[path][1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        fresh = True
        try:
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                streamed = isinstance(asked.body, dict) and bool(asked.body.get("stream"))
                self.connections += fresh and streamed
                fresh &= not streamed
                if not await self._say(self._answer(asked.path, streamed), reader, writer):
                    break
        except asyncio.IncompleteReadError:
            pass
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()
            self._writers.discard(writer)

    def _answer(self, path: str, streamed: bool) -> Answer:
        if streamed:
            return Answer([], status=0, hang=True) if self.silent else self.answer
        if path in self._once:
            answer, came = self._once.pop(path)
            came.set()
            return answer
        return self.paths.get(path, told(404, {"detail": "Not Found"}))

    async def _say(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        head = [f"HTTP/1.1 {answer.status} Said", f"Content-Type: {answer.type}", "Transfer-Encoding: chunked"]
        if answer.status:
            writer.write("\r\n".join([*head, *answer.headers, "", ""]).encode())
        for piece in answer.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            # Each piece is to come by itself: the client reads in this loop too.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if answer.hang:
            await reader.read()
            self.left.set()
        elif not answer.cut:
            writer.write(b"0\r\n\r\n")
            return True
        return False

    async def open(self) -> None:
        """Listen, on a port of the system's choice."""
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def close(self) -> None:
        """Be gone, with every connection."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else None)


@asynccontextmanager
async def faking() -> AsyncIterator[Fake]:
    """An upstream on this machine."""
    fake = Fake()
    await fake.open()
    try:
        yield fake
    finally:
        await fake.close()


@asynccontextmanager
async def asking(fake: Fake, **settings: Any) -> AsyncIterator[OpenAIEngine]:
    """An engine in front of it, warm."""
    engine = OpenAIEngine(Upstream(url=fake.url, **settings))
    try:
        await engine.start(lambda stage: None)
        yield engine
    finally:
        await engine.close()
