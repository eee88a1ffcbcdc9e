"""The physical floor: answers every chat with frames made beforehand, one send for each, and does nothing else.

`python -m loadtest.peers.floor --port PORT [--pace-ms MS]`

All streams go in step, as with an engine: every so many milliseconds each of them gets its next frame; with a pace of
0, as fast as its reader takes them.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from typing import Final, cast

import uvloop

_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)
_TOKENS: Final = re.compile(rb'"max_tokens": ?(\d+)')
_MOST_TOKENS: Final = 100_000
_MOST_BYTES: Final = 1 << 20

_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WELL: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_EVENT: Final = (
    b'data: {"id":"chatcmpl-88ec766fb7e7a349","object":"chat.completion.chunk","created":1795311639,"model":"bench",'
    b'"choices":[%b]%b}\n\n'
)
_CHOICE: Final = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}'


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


_OPENING: Final = _chunk(_EVENT % (_CHOICE % (b'{"role":"assistant","content":""}', b"null"), b""))
TOKEN: Final = _chunk(_EVENT % (_CHOICE % (b'{"content":" were"}', b"null"), b""))
"""A token's frame: the bytes that `vllm serve` would send for it."""


def ending(tokens: int) -> list[bytes]:
    """Return the frames after the last token; the very last ends the answer as HTTP does."""
    usage = b',"usage":{"prompt_tokens":17,"total_tokens":%d,"completion_tokens":%d}' % (tokens + 17, tokens)
    closing = _EVENT % (_CHOICE % (b"{}", b'"length"'), b"")
    return [_chunk(closing), _chunk(_EVENT % (b"", usage)), _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"]


class Writer:
    """Gives each of its streams the next frame, one step after the other."""

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._loop = asyncio.get_running_loop()
        self._streams: set[Stream] = set()

    def add(self, stream: Stream) -> None:
        """Take a stream into the next step."""
        if not self._streams:
            self._loop.call_later(self._pace_s, self._step, self._loop.time() + self._pace_s)
        self._streams.add(stream)

    def drop(self, stream: Stream) -> None:
        """Leave a stream whose answer is whole, or whose reader left."""
        self._streams.discard(stream)

    def _step(self, due: float) -> None:
        for stream in tuple(self._streams):
            stream.write()
        if self._streams:
            due += self._pace_s
            self._loop.call_later(max(0.0, due - self._loop.time()), self._step, due)


class Stream(asyncio.Protocol):
    """One connection: one request, one answer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._asked = b""
        self._left = 0
        self._ending: list[bytes] = []
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._asked += data
        head, found, body = self._asked.partition(b"\r\n\r\n")
        if len(self._asked) > _MOST_BYTES:
            self._transport.abort()
        elif found and head.startswith(b"GET"):
            self._transport.write(_WELL)
            self._transport.close()
        elif found and len(body) >= int(length[1] if (length := _LENGTH.search(head)) else 0):
            self._begin(int(tokens[1] if (tokens := _TOKENS.search(body)) else 0))

    def connection_lost(self, exc: Exception | None) -> None:
        self._writer.drop(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def write(self) -> None:
        """Send the next frame, unless the reader has not taken the last ones."""
        if self._full:
            return
        if self._left:
            self._left -= 1
            self._transport.write(TOKEN)
        elif self._ending:
            self._transport.write(self._ending.pop(0))
        else:
            self._writer.drop(self)
            self._transport.close()

    def _begin(self, tokens: int) -> None:
        self._left = min(tokens, _MOST_TOKENS)
        self._ending = ending(self._left)
        self._transport.write(_HEAD + _OPENING)
        self._writer.add(self)


async def serve(port: int, pace_s: float) -> None:
    """Serve until SIGTERM or SIGINT comes."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    writer = Writer(pace_s)
    async with await loop.create_server(lambda: Stream(writer), "127.0.0.1", port, backlog=4096):
        await ended.wait()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pace-ms", type=float, default=0.0, help="between two frames; 0: as fast as they are taken")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.pace_ms / 1000))


if __name__ == "__main__":
    main()
