"""Runs that pay, without engines: how they are let in, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from engines.base import Prompt
from gateway.admission import Outcome
from gateway.clock import Clock
from gateway.events import Canceled, Finished, Terminal, Timings, Usage
from gateway.generation import Generation, new_id
from gateway.keys import Budget, Key, Period
from gateway.metrics import Metrics
from gateway.money.base import Answer, Books, BooksAway, Hold, Settlement
from gateway.money.gate import MoneyGate
from gateway.money.prices import Prices
from gateway.money.sqlite import SqliteBooks
from gateway.tables import ModelTable
from tests.gateway.money.contract import NOON
from tests.turning import Turned

PRICES = {
    "tokens": Prices.of(ModelTable.model_validate({"price_per_million_output": 1000.0}), {}),
    "reading": Prices.of(ModelTable.model_validate({"price_per_million_cached_input": 1.0}), {}),
    "seconds": Prices.of(ModelTable.model_validate({"price_per_second": 0.01}), {}),
}
"""A thousandth for a token given out, a millionth for one read, a hundredth for a second."""


def a_key(budget: float | None = 1.0, *, period: Period = "month", id: str = "k") -> Key:
    return Key(id=id, name=id, namespace=id, budget=None if budget is None else Budget(amount=budget, period=period))


def a_run(
    model: str = "tokens",
    max_tokens: int | None = 100,
    *,
    key: str = "k",
    at: float = NOON,
    n: int = 1,
    content: Any = "hi",
) -> Generation:
    parameters = {"max_tokens": max_tokens, "n": n}
    prompt = Prompt(messages=({"role": "user", "content": content},), parameters=parameters)
    return Generation(id=new_id("gen"), owner=key, model=model, prompt=prompt, created=at, key=key)


def a_gate(books: Books, clock: Turned, *, context: int | None = 1000) -> MoneyGate:
    return MoneyGate(books, PRICES, lambda model: context, Clock(clock, clock), Metrics())


def finished(tokens: int, *, reason: str = "stop") -> Terminal:
    return Finished(reason, Usage(10, tokens), Timings())


def canceled(tokens: int) -> Terminal:
    return Canceled("caller", Usage(10, tokens), Timings())


def ended(terminal: Terminal, seconds: float = 0.0) -> Outcome:
    return Outcome(terminal, seconds)


class ShakyBooks(SqliteBooks):
    """Books that can be away, also after they have done what was asked."""

    def __init__(self, clock: Turned) -> None:
        super().__init__(None, clock)
        self.away = False
        self.mute = False
        """Whether what is asked is done and not answered."""
        self.reserving: asyncio.Event | None = None
        """Set when something was reserved, which is then never answered."""

    async def hold(self, hold: Hold) -> Answer:
        self._check(self.away)
        answer = await super().hold(hold)
        self._check(self.mute)
        if self.reserving is not None:
            self.reserving.set()
            await asyncio.Event().wait()
        return answer

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        self._check(self.away)
        await super().settle(settlements)
        self._check(self.mute)

    async def held(self, key: str, run: str) -> Hold | None:
        self._check(self.away)
        return await super().held(key, run)

    def _check(self, away: bool) -> None:
        if away:
            raise BooksAway("test")
