"""A chat server whose every answer is known, in a test's loop or as a process: the model's name says how it behaves."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

OPENING = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
CLOSING = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}


class FakeOpenAI:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.open = 0
        self.most_open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if head.startswith("get"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            else:
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                await self._answer(json.loads(await reader.readexactly(length)), reader, writer)
        self.open -= 1
        writer.close()

    async def _answer(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(body)
        if body["model"] == "busy":
            error = json.dumps({"error": {"code": "rate_limited", "message": "later"}}).encode()
            writer.write(b"HTTP/1.1 429 Busy\r\ncontent-length: %d\r\n\r\n%b" % (len(error), error))
            return
        writer.write(HEAD)
        for event in events(body["model"], body["max_tokens"]):
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            # One turn of the loop for each token, so that streams run beside each other.
            await asyncio.sleep(0)
        if body["model"] == "endless":
            await reader.read()
        elif body["model"] != "cut":
            writer.write(b"0\r\n\r\n")


def events(model: str, tokens: int) -> list[bytes]:
    """Return the events of an answer, in OpenAI's form."""
    said: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": " wörd"}}]}] * tokens
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": tokens}}
    failure = {"error": {"code": "engine_died", "message": "crash"}}
    whole = [*map(_event, [OPENING, *said, CLOSING, usage]), b"data: [DONE]\n\n"]
    match model:
        case "cut" | "endless":
            return whole[: 1 + tokens]
        case "dies":
            return [*whole[: 1 + tokens], _event(failure)]
        case _:
            return [b": booting\n\n", *whole]


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[FakeOpenAI]:
    """Serve in this loop."""
    fake = FakeOpenAI()
    async with await asyncio.start_server(fake.serve, "127.0.0.1", port, backlog=1024) as server:
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield fake


async def main() -> None:
    async with serving(int(sys.argv[1])):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
