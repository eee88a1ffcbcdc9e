"""A workload replayed at a server, an open loop: each ask is sent when it is due, however many are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from loadtest.address import Address
from loadtest.cache.workload import Ask
from loadtest.exchange import Exchange, HttpAnswer, post
from loadtest.servers import MODEL

_ANSWER_S: Final = 60.0
_MOST_OPEN: Final = 2_048


@dataclass(frozen=True, slots=True)
class Told:
    """What one ask came to: HIT, JOIN, MISS or BYPASS, and after how many seconds its first text was there."""

    outcome: str
    manner: str
    text: float
    error: str | None = None


class Replay:
    """Sends asks `compress` times as fast as they are meant."""

    def __init__(self, address: Address, compress: float, max_tokens: int) -> None:
        self._address = address
        self._compress = compress
        self._max_tokens = max_tokens
        self._open = 0

    async def run(self, asks: Iterable[Ask]) -> list[Told]:
        """What each came to."""
        begun, tasks = perf_counter(), []
        async with asyncio.TaskGroup() as group:
            for ask in asks:
                due = begun + ask.at / self._compress
                await asyncio.sleep(due - perf_counter())
                tasks.append(group.create_task(self._one(ask, due)))
        return [task.result() for task in tasks]

    async def _one(self, ask: Ask, due: float) -> Told:
        manner = "streamed" if ask.streamed else "plain"
        if self._open >= _MOST_OPEN:
            return Told("", manner, 0.0, "too_many_open")
        self._open += 1
        answer = HttpAnswer()
        question = post(self._address, "/v1/chat/completions", ask.body(MODEL, self._max_tokens))
        try:
            async with asyncio.timeout(_ANSWER_S):
                exchange = await Exchange.open(self._address)
                try:
                    await exchange.ask(question, answer, due)
                finally:
                    exchange.close()
        except (OSError, TimeoutError) as error:
            return Told(answer.outcome, manner, 0.0, type(error).__name__)
        finally:
            self._open -= 1
        if answer.status != 200 or answer.text is None:
            return Told(answer.outcome, manner, 0.0, f"status {answer.status}")
        return Told(answer.outcome, manner, answer.text)
