"""An upstream whose every answer is known: what a relay is measured in front of, and what sees a call that is cut off.

    python -m loadtest.upstream PORT --prefill-ms 20 --token-ms 20

It answers chat completions, streamed or plain, with the same bytes for every token, encoded once. A call that is cut
off is told on standard output as `aborted ID at SECONDS`: the id that its `x-request-id` gave, and the steady clock
that all processes of a machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from time import perf_counter
from typing import Any, Final, NamedTuple, cast

import uvloop

MODEL: Final = "bench"
MOST_TOKENS: Final = 100_000

_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nx-request-id: ?(\S+)", re.IGNORECASE)
_JSON: Final = "content-type: application/json\r\n"
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_WORD: Final = " word"


class Pace(NamedTuple):
    """Seconds until the first token, and between two; 0 and 0 answer at once, in one piece."""

    prefill_s: float
    token_s: float


class Upstream(asyncio.Protocol):
    """One connection, one question after the other."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None
        self._id = "-"
        self._began = 0.0
        self._said = self._tokens = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            print(f"aborted {self._id} at {perf_counter()!r}", flush=True)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = int(told[1]) if (told := _LENGTH.search(head)) else 0
        if found and len(body) >= length:
            self._received = b""
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if head.startswith(b"POST") and path == b"/v1/chat/completions":
            self._id = told[1].decode() if (told := _ID.search(head)) else "-"
            self._chat(json.loads(body))
        elif path == b"/v1/models":
            listed = {"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": MOST_TOKENS}]}
            self._write(_whole(200, listed))
        else:
            self._write(_whole(200 if path == b"/health" else 404, {}))

    def _chat(self, asked: dict[str, Any]) -> None:
        self._tokens = min(int(asked.get("max_tokens") or asked.get("max_completion_tokens") or 1), MOST_TOKENS)
        self._said, self._began = 0, self._loop.time()
        if not asked.get("stream"):
            answer = PLAIN if self._tokens == 1 else _plain(self._tokens)
            self._timer = self._loop.call_later(self._due(self._tokens - 1), self._whole_answer, answer)
        elif self._pace.token_s:
            self._write(_STREAM + OPENING)
            self._timer = self._loop.call_later(self._due(0), self._say)
        else:
            self._timer = self._loop.call_later(
                self._due(0), self._whole_answer, _STREAM + OPENING + TOKEN * self._tokens + closing(self._tokens)
            )

    def _due(self, token: int) -> float:
        """How long after the question."""
        return self._pace.prefill_s + token * self._pace.token_s

    def _whole_answer(self, answer: bytes) -> None:
        self._timer = None
        self._write(answer)

    def _say(self) -> None:
        self._said += 1
        if self._said == self._tokens:
            self._whole_answer(TOKEN + closing(self._tokens))
        else:
            self._write(TOKEN)
            # By the clock of the whole answer: a token that came late does not make the next one late.
            self._timer = self._loop.call_at(self._began + self._due(self._said), self._say)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _whole(status: int, value: dict[str, Any]) -> bytes:
    body = json.dumps(value).encode()
    reason = "OK" if status == 200 else "Not Found"
    return f"HTTP/1.1 {status} {reason}\r\n{_JSON}content-length: {len(body)}\r\n\r\n".encode() + body


def _plain(tokens: int) -> bytes:
    message = {"role": "assistant", "content": _WORD * tokens}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    return _whole(200, {**_facts("chat.completion", [choice]), "usage": _usage(tokens)})


def _facts(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "chatcmpl-bench", "object": kind, "created": 1, "model": MODEL, "choices": choices}


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}


def _event(choices: list[dict[str, Any]], **more: Any) -> bytes:
    said = {**_facts("chat.completion.chunk", choices), **more}
    return _chunk(b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def closing(tokens: int) -> bytes:
    """What follows the last token."""
    last = _event([{"index": 0, "delta": {}, "finish_reason": "length"}])
    return last + _event([], usage=_usage(tokens)) + _chunk(b"data: [DONE]\n\n") + _chunk(b"")


OPENING: Final = _event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
TOKEN: Final = _event([{"index": 0, "delta": {"content": _WORD}, "finish_reason": None}])
PLAIN: Final = _plain(1)


async def serve(port: int, pace: Pace) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    await (await loop.create_server(lambda: Upstream(pace), "127.0.0.1", port, backlog=4096)).serve_forever()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.upstream", description="An upstream for benches.")
    parser.add_argument("port", type=int)
    parser.add_argument("--prefill-ms", type=float, default=0.0)
    parser.add_argument("--token-ms", type=float, default=0.0)
    asked = parser.parse_args()
    uvloop.run(serve(asked.port, Pace(asked.prefill_ms / 1000, asked.token_ms / 1000)))


if __name__ == "__main__":
    main()
