"""A model that speaks at an exact pace and says what time it is. Run as `python -m`, it serves a port.

The scripted engine shares its loop with the readers, and becomes slower with them; a real one runs elsewhere, as this
one does. It speaks as much of OpenAI's protocol as Hearth asks of an engine elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import suppress
from time import monotonic
from typing import Any, Final

MODEL: Final = "speaker"
_MOST_S: Final = 900.0
_WHOLE: Final = b"HTTP/1.1 %d\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


class Speaker:
    """Answers every chat with the time (seconds of the machine's monotonic clock), once for each token."""

    def __init__(self, wait_s: float, token_s: float) -> None:
        self._wait_s = wait_s
        self._token_s = token_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if head.startswith("post"):
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                await self._answer(json.loads(await reader.readexactly(length)), writer)
            else:
                path = head.split()[1]
                known = path.endswith(("/models", "/health"))
                _write(writer, 200 if known else 404, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
            await writer.drain()
        writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if not body.get("stream"):
            message = {"role": "assistant", "content": "."}
            _write(writer, 200, {"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})
            return
        writer.write(_HEAD)
        begun = monotonic() + self._wait_s
        for number in range(round(_MOST_S / self._token_s)):
            # Late by one token, it is not late by all that follow.
            await asyncio.sleep(begun + number * self._token_s - monotonic())
            choice = {"index": 0, "delta": {"content": f" {monotonic():.6f}"}, "finish_reason": None}
            writer.write(b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode())
            await writer.drain()


def _write(writer: asyncio.StreamWriter, status: int, told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    writer.write(_WHOLE % (status, len(body), body))


async def serve(port: int, wait_s: float, token_s: float) -> None:
    """Listen for ever."""
    speaker = Speaker(wait_s, token_s)
    async with await asyncio.start_server(speaker.serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--wait-ms", type=int, required=True)
    parser.add_argument("--token-ms", type=float, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.wait_ms / 1000, given.token_ms / 1000))
