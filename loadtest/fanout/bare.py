"""The floor under the fan-out: a frame made once, and written to every socket. Run as `python -m`, it serves a port.

It speaks as much of HTTP/1.1 and of Hearth's /v1/streams as the readers need: an event stream in chunks, since HTTP/1.1
has no other way to go on with the connection afterwards. One generation at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Final, cast

import uvloop

ID: Final = "bare"
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PLAIN: Final = b"HTTP/1.1 %d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Writer:
    """Writes to all who read, as fast as they take it: nobody is ahead of the slowest by more than a buffer."""

    def __init__(self, wait_s: float) -> None:
        self.readers: dict[Connection, asyncio.Transport] = {}
        self._wait_s = wait_s
        self._slow: set[Connection] = set()
        self._taken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Speak, once the readers had their time to come in."""
        self._stopped.clear()
        self._task = asyncio.create_task(self._speak())

    def stop(self) -> None:
        """Say the last frame."""
        self._stopped.set()

    def pause(self, reader: Connection) -> None:
        """Wait for this one."""
        self._slow.add(reader)

    def resume(self, reader: Connection) -> None:
        """Wait for it no longer."""
        self._slow.discard(reader)
        self._taken.set()

    def leave(self, reader: Connection) -> None:
        """It is gone."""
        self.readers.pop(reader, None)
        self.resume(reader)

    async def _speak(self) -> None:
        await asyncio.sleep(self._wait_s)
        offset = 0
        while not self._stopped.is_set():
            self._write(_chunk(offset, "delta"))
            offset += 1
            await asyncio.sleep(0)
            while self._slow:
                self._taken.clear()
                await self._taken.wait()
        self._write(_chunk(offset, "end") + b"0\r\n\r\n")
        self.readers.clear()

    def _write(self, data: bytes) -> None:
        for transport in self.readers.values():
            transport.write(data)


class Connection(asyncio.Protocol):
    """One connection; a request is known by its first letters, and its body is of no interest."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /readyz"):
            self._answer(200, {})
        elif data.startswith(b"POST"):
            self._writer.begin()
            self._answer(201, {"id": ID})
        elif data.startswith(b"DELETE"):
            self._writer.stop()
            self._answer(200, {"id": ID})
        elif data.startswith(b"GET"):
            self._writer.readers[self] = self._transport
            opened = b": open\n\n"
            self._transport.write(_HEAD + b"%x\r\n%b\r\n" % (len(opened), opened))

    def pause_writing(self) -> None:
        self._writer.pause(self)

    def resume_writing(self) -> None:
        self._writer.resume(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._writer.leave(self)

    def _answer(self, status: int, told: dict[str, str]) -> None:
        body = json.dumps(told).encode()
        self._transport.write(_PLAIN % (status, len(body), body))


def _chunk(offset: int, event: str) -> bytes:
    # As long as Hearth's own with the scripted engine.
    data = b'{"o":%d,"n":1,"c":0,"d":" 2d7116.0.%d"}' % (offset, offset)
    frame = b"id: v2pz8u3q-%d\nevent: %b\ndata: %b\n\n" % (offset, event.encode(), data)
    return b"%x\r\n%b\r\n" % (len(frame), frame)


async def serve(port: int, wait_s: float) -> None:
    """Listen for ever."""
    writer = Writer(wait_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(writer), "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--wait-ms", type=int, required=True)
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.wait_ms / 1000))
