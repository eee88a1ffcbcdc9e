"""Streams that follow each other without a pause, measured while all of them run: neither their start nor their end."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import uvloop

from loadtest import processes
from loadtest.address import Address
from loadtest.exchange import Exchange, HttpAnswer, post
from loadtest.servers import MODEL

_COUNT: Final = re.compile(rb'"completion_tokens": ?(\d+)')
_DONE: Final = b"data: [DONE]\n\n"
_LAST_WORDS: Final = 2048
_GRACE_S: Final = 30.0


def chat(address: Address, prompt: str, tokens: int, ignore_eos: bool = False) -> bytes:
    """The bytes that ask for a streamed answer of so many tokens; only vLLM knows how to `ignore_eos`."""
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return post(
        address, "/v1/chat/completions", json.dumps(asked | ({"ignore_eos": True} if ignore_eos else {})).encode()
    )


class StreamedAnswer(HttpAnswer):
    """A streamed answer of HTTP/1.1, its events counted."""

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__()
        self.events = 0
        self._count = count
        self._last_words = b""

    def feed(self, data: bytes, now: float) -> bool:
        events = data.count(b"\n\n")
        self.events += events
        self._count(events)
        self._last_words = (self._last_words + data)[-_LAST_WORDS:]
        return super().feed(data, now)

    @property
    def tokens(self) -> int:
        """As its usage tells; 0 for an answer that is not whole."""
        told = _COUNT.search(self._last_words) if _DONE in self._last_words and self.status == 200 else None
        return int(told[1]) if told else 0


@dataclass(frozen=True, slots=True)
class Steady:
    """What was given in the measured seconds, and the CPU seconds of each server and of this process for it.

    Tokens are the events that came then, times the tokens that an event held on average in answers that are whole.
    """

    tokens: float
    seconds: float
    cpu: dict[str, float]
    client: float
    events_per_token: float
    all_tokens: int
    """Those before and after the measured seconds too."""
    wrong: int

    @property
    def per_second(self) -> float:
        """Tokens."""
        return self.tokens / self.seconds

    @property
    def events_per_second(self) -> float:
        """Frames, each of one token or of several that were waiting together."""
        return self.per_second * self.events_per_token

    def us(self, name: str) -> float:
        """Microseconds of that server's CPU for a token; NaN where none came."""
        return self.cpu[name] / self.tokens * 1e6 if self.tokens else math.nan

    def share(self, name: str) -> float:
        """How many cores that server used."""
        return self.cpu[name] / self.seconds

    @property
    def client_share(self) -> float:
        """How many cores the load generator used."""
        return self.client / self.seconds


def steady(
    address: Address, ask: Callable[[int], bytes], streams: int, warm_s: float, seconds: float, pids: dict[str, int]
) -> Steady:
    """Keep so many streams going: `ask` makes the bytes of question N. Raises OSError, TimeoutError."""
    return uvloop.run(_Crowd(address, ask).measure(streams, warm_s, seconds, pids))


class _Crowd:
    def __init__(self, address: Address, ask: Callable[[int], bytes]) -> None:
        self._address = address
        self._ask = ask
        self._asked = self._events = 0
        self._whole_events = self._whole_tokens = self._wrong = 0
        self._over = False

    async def measure(self, streams: int, warm_s: float, seconds: float, pids: dict[str, int]) -> Steady:
        async with asyncio.timeout(warm_s + seconds + _GRACE_S), asyncio.TaskGroup() as group:
            for _ in range(streams):
                group.create_task(self._keep_asking())
            await asyncio.sleep(warm_s)
            before, own, events, begin = _look(pids), time.process_time(), self._events, perf_counter()
            await asyncio.sleep(seconds)
            end, events, own, after = perf_counter(), self._events - events, time.process_time() - own, _look(pids)
            self._over = True
        each = self._whole_tokens / max(1, self._whole_events)
        cpu = {name: sum(one.cpu_seconds for one in processes.used(before[name], after[name])) for name in pids}
        shape = 1 / each if each else math.nan
        return Steady(events * each, end - begin, cpu, own, shape, self._whole_tokens, self._wrong)

    async def _keep_asking(self) -> None:
        exchange = await Exchange.open(self._address)
        try:
            while not self._over:
                answer = StreamedAnswer(self._count)
                self._asked += 1
                await exchange.ask(self._ask(self._asked), answer)
                self._whole_events += answer.events
                self._whole_tokens += answer.tokens
                self._wrong += not answer.tokens
        finally:
            exchange.close()

    def _count(self, events: int) -> None:
        self._events += events


def _look(pids: dict[str, int]) -> dict[str, dict[int, processes.Process]]:
    return {name: processes.look(pid) for name, pid in pids.items()}
