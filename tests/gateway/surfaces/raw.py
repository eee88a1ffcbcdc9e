"""A client without manners: HTTP by hand, so that a test may stop in the middle of anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from engines.scripted.engine import ScriptedEngine
from tests.serving import Served

HELLO = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"model": "demo", "messages": HELLO}
PATH = "/v1/chat/completions"


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def post(self, body: dict[str, Any], path: str = PATH, **headers: str) -> None:
        """A whole request."""
        written = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(written)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + written)

    async def hear(self, mark: bytes) -> bytes:
        """Everything up to this mark."""
        async with asyncio.timeout(10):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    def drop(self) -> None:
        """Leave without a word (RST)."""
        self.writer.transport.abort()


@asynccontextmanager
async def line(served: Served) -> AsyncIterator[Line]:
    """A connection to the server, closed at the end."""
    place = urlsplit(served.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def engine_of(served: Served, model: str = "demo") -> ScriptedEngine:
    """The scripted engine behind a model."""
    engine = served.gateway.pool.seats[model].engine
    assert isinstance(engine, ScriptedEngine)
    return engine
