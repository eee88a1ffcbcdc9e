"""An SSE response: sse-starlette's headers and promises around a leaner loop.

The library's own loop costs five tasks and 29 KB for each open response, and a lock, a timeout and a debug line for
each event. Ours is the request's task and one that watches for the client to leave; frames come as ready bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from gateway.core import Gateway
from gateway.log.local import Reader
from gateway.surfaces.presence import ClientLeft, present
from gateway.surfaces.stall import Stall

_HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class EventStream(EventSourceResponse):
    """Writes each frame in one piece, until there are no more or the client leaves; then `frames` is closed."""

    def __init__(self, frames: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(frames, headers={**_HEADERS, **(headers or {})}, sep="\n", ping=0)
        # The library adds `connection: keep-alive`, which HTTP/2 forbids, and a charset, which strict clients refuse.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] not in (b"connection", b"content-type")]
        self.raw_headers.append((b"content-type", b"text/event-stream"))
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._frames) as frames, present(receive):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    async for frame in frames:
                        await send({"type": "http.response.body", "body": frame, "more_body": True})
        except ClientLeft:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Dialect(Protocol):
    """How a surface says what a log says. One object for each reader: it may remember what it has said."""

    def frames(self, reader: Reader) -> bytes:
        """Take what the reader has and say it; empty when nothing of it is for this surface."""
        raise NotImplementedError

    def cut(self, code: str) -> bytes:
        """Say that this connection ends early (`draining`, `slow_reader`), and how to go on."""
        raise NotImplementedError


async def follow(
    gateway: Gateway, reader: Reader, dialect: Dialect, scope: Scope, keep_alive_s: float, head: bytes = b""
) -> AsyncGenerator[bytes]:
    """`head`, then every frame of a reader until its log ends, with comments through every silence."""
    clock = asyncio.get_running_loop().time
    stall = Stall(scope)
    reader.cut = stall.cut
    frame = head
    try:
        while True:
            if frame:
                reader.sending_since = clock()
                yield frame
                reader.sending_since = None
            if reader.pending:
                # A write that the transport takes at once lets nobody else run: who catches up must not keep the loop.
                await asyncio.sleep(0)
            if stall.asked:
                frame = dialect.cut("slow_reader")
                break
            if reader.pending:
                frame = dialect.frames(reader)
            elif reader.done:
                frame = b""
                break
            elif reader.log.lost is not None:
                frame = dialect.cut(reader.log.lost)
                break
            elif gateway.draining.is_set():
                frame = dialect.cut("draining")
                break
            else:
                frame = b"" if await reader.wait(keep_alive_s) else b": keep-alive\n\n"
        # An empty last write returns when the transport has taken the others: until then the reader may be cut.
        reader.sending_since = clock()
        if frame:
            yield frame
        yield b""
    finally:
        stall.close()
