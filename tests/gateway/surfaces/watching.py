"""Watchers of streams, over raw sockets: they see each write of the server, and leave whenever a test wants."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx


class Frame(NamedTuple):
    """One server-sent event; `position` is empty where there was no id."""

    position: str
    event: str
    data: dict[str, Any]


class Watching:
    """One answer to GET /v1/streams/{id}."""

    def __init__(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.comments: list[str] = []
        self.retry: int | None = None
        self._reader = reader

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Each write of the server, until its answer ends."""
        while size := int(await self._reader.readline(), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()

    async def frames(self, seconds: float = 30) -> AsyncGenerator[Frame]:
        """Each event. Every write must hold whole ones: some clients forget what they have between two reads."""
        async with asyncio.timeout(seconds), aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                assert chunk.endswith(b"\n\n"), chunk[-20:]
                assert b"\r" not in chunk
                for block in chunk.decode().split("\n\n")[:-1]:
                    if frame := self._parsed(block):
                        yield frame

    async def all(self) -> list[Frame]:
        """Every event to the end."""
        return [frame async for frame in self.frames()]

    def _parsed(self, block: str) -> Frame | None:
        fields = {"id": "", "event": "", "data": ""}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if not name:
                self.comments.append(value.strip())
            elif name == "retry":
                self.retry = int(value)
            else:
                fields[name] = value.removeprefix(" ")
        return Frame(fields["id"], fields["event"], json.loads(fields["data"])) if fields["data"] else None


@asynccontextmanager
async def watching(
    url: str, path: str, *, receive_buffer: int | None = None, **headers: str
) -> AsyncIterator[Watching]:
    """Ask for a stream; at the end of the block the connection is dropped, wherever the stream is."""
    place = urlsplit(url)
    assert place.hostname and place.port
    plug = socket.socket()
    plug.setblocking(False)
    if receive_buffer:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    async with asyncio.timeout(10):
        await asyncio.get_running_loop().sock_connect(plug, (place.hostname, place.port))
        # The reader takes no more than it is asked for, so that who does not read fills the socket.
        reader, writer = await asyncio.open_connection(sock=plug, limit=2**16)
        try:
            lines = [
                f"GET {path} HTTP/1.1",
                "host: localhost",
                *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
            ]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            told = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        except BaseException:
            writer.transport.abort()
            raise
    try:
        yield Watching(reader, int(head[0].split(" ")[1]), told)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def started(url: str, **body: Any) -> str:
    """The id of a new generation."""
    asked = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], **body}
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/v1/streams", json=asked)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def watched(url: str, id: str, after: str = "") -> list[Frame]:
    """Every event after that position, to the end."""
    async with watching(url, f"/v1/streams/{id}?after={after}") as stream:
        assert stream.status == 200
        return await stream.all()


def text(frames: Iterable[Frame], choice: int = 0) -> str:
    """What was said."""
    return "".join(frame.data.get("d", "") for frame in frames if frame.data.get("c") == choice)
