"""Lets runs in that can be paid, and meters all of them.

Whoever begins a run pays for all of it, however many follow it and whether it ends well; an answer that needed no run
of its own, a hit or a join, is free, and what it spared is noted.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gateway.admission import Spared
from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.generation import Generation, new_id
from gateway.keys import Key
from gateway.measure import Measure, measure
from gateway.metrics import Metrics
from gateway.money.advisor import Advisor
from gateway.money.backlog import Backlog
from gateway.money.base import Answer, Books, BooksAway, Hold, Settlement, Use
from gateway.money.bill import SLICE_MS, Bill
from gateway.money.periods import DAY_S
from gateway.money.prices import NANO, Prices, nanos
from gateway.money.refusal import Remaining, budget_headers, refusal
from gateway.money.upkeep import Upkeep

_SWEEP_S: Final = 3600.0
_AT_ONCE: Final = 32
"""Reservations renewed at one time."""


class MoneyGate:
    """See Gate for what it promises. `prices` are those of models that cost anything; `context` gives a model's length,
    None until it was warm. `upkeep` is what nobody pays.
    """

    def __init__(
        self,
        books: Books,
        prices: Mapping[str, Prices],
        context: Callable[[str], int | None],
        clock: Clock,
        metrics: Metrics,
        upkeep: Upkeep | None = None,
    ) -> None:
        self._books = books
        self._prices = prices
        self._context = context
        self._clock = clock
        self._metrics = metrics
        self._upkeep = upkeep
        self._backlog = Backlog(books)
        self._advisor = Advisor(books, clock.wall)
        self._remaining = Remaining()
        self._bills: set[Bill] = set()
        self._spared: dict[tuple[float, str, str, str], Use] = {}
        self._swept_at = -math.inf

    async def enter(self, key: Key, model: str) -> Mapping[str, str]:
        """A call by itself costs nothing, and asks no store."""
        return self._remaining.headers(key, self._clock.wall())

    async def admit(self, generation: Generation, key: Key) -> Bill:
        """Reserve what a run may cost at most, if its key has a budget.

        Raises HearthError `budget_exceeded`, `state_unavailable`, and `invalid_request` when the most is not known.
        """
        headers: dict[str, str] = {}
        asked = generation.prompt.parameters.get("max_tokens")
        if advice := self._advisor.advise(key.id, generation.model, asked):
            headers["x-max-tokens-advice"] = advice
        bounds, prices = self._bounds(generation), self._price(generation.model)
        amount = prices.most(bounds, SLICE_MS)
        if key.budget is not None and prices.output and not bounds.output_most:
            raise HearthError(
                "invalid_request",
                f"Say max_tokens: {generation.model} has not been warm yet, so how long its answers may get, "
                "and what they cost this key's budget, is not known.",
                parameter="max_tokens",
            )
        if key.budget is not None and (prices.input or prices.cached) and bounds.blind:
            raise HearthError(
                "invalid_request",
                f"Send text alone: {generation.model} has not been warm yet, so how many tokens a picture, a sound or "
                "a chat_template may come to, and what they cost this key's budget, is not known.",
                parameter="messages",
            )
        if key.budget is None or not amount:
            return self._open(generation, None, headers)
        limit = nanos(key.budget.amount)
        hold = Hold(generation.id, key.id, generation.created, key.budget.period, limit, amount)
        answer = await self._reserve(hold, generation)
        self._remaining.note(hold, answer.left)
        if not answer.held:
            raise refusal(hold, answer.left, prices, bounds, generation.prompt.choices)
        return self._open(generation, hold, headers | budget_headers(hold, answer.left))

    async def inherit(self, generation: Generation) -> Bill:
        """Go on with what the replica reserved that let the run in."""
        bill = self._open(generation, None, {})
        await bill.inherit()
        return bill

    def spared(self, spared: Spared) -> None:
        """Note an answer that cost nothing, and what a run of its own would have cost."""
        milliseconds = round(spared.seconds * 1000)
        saved = self._price(spared.model).cost(spared.usage, milliseconds)
        usage = spared.usage
        use = Use(
            calls=1,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            saved=saved,
            saved_milliseconds=milliseconds,
        )
        whose = (self._clock.wall() // DAY_S * DAY_S, spared.key.id, spared.model, spared.how)
        self._spared[whose] = self._spared.get(whose, Use()).plus(use)
        self._metrics.saved(spared.model, spared.how, saved / NANO)

    async def tick(self) -> None:
        """Write what waits, renew what runs hold, and look again at what is told to callers."""
        if self._upkeep is not None:
            self._upkeep.look()
        await self._write()
        for batch in _batches(list(self._bills), _AT_ONCE):
            await asyncio.gather(*(bill.renew() for bill in batch))
        self._metrics.reserved(sum(bill.hold.amount for bill in self._bills if bill.hold is not None) / NANO)
        if self._backlog.away:
            return
        try:
            await self._advisor.read()
            if self._clock.steady() - self._swept_at >= _SWEEP_S:
                self._swept_at = self._clock.steady()
                await self._books.sweep()
        except BooksAway:
            return  # The next round tries again.

    async def close(self) -> None:
        """Write down what is not written yet, and close the books."""
        self._pour(all=True)
        await self._backlog.close()
        await self._books.close()

    async def _write(self) -> None:
        # While they cannot be written, sums take less room than what they are the sums of.
        if not self._backlog.away:
            self._pour()
        await self._backlog.write(again=True)

    def _pour(self, *, all: bool = False) -> None:
        """Have what was spared since the last time written, as one settlement for each key, model and way.

        What was kept warm is written now and then, and at the end `all` of it.
        """
        for settlement in () if self._upkeep is None else self._upkeep.pour(all=all):
            self._backlog.add(settlement)
        for (midnight, key, model, how), use in self._spared.items():
            self._backlog.add(Settlement(new_id("spared"), key, model, how, midnight, use))
        self._spared.clear()

    async def _reserve(self, hold: Hold, generation: Generation) -> Answer:
        try:
            return await self._books.hold(hold)
        except BooksAway:
            self._release(generation)
            raise HearthError("state_unavailable") from None
        except asyncio.CancelledError:
            self._release(generation)
            raise

    def _release(self, generation: Generation) -> None:
        """Give back what may have been reserved for a run that does not begin."""
        self._backlog.add(
            Settlement(generation.id, generation.key, generation.model, "refused", generation.created, Use())
        )

    def _open(self, generation: Generation, hold: Hold | None, headers: Mapping[str, str]) -> Bill:
        bill = Bill(
            generation,
            self._price(generation.model),
            self._bounds(generation),
            hold,
            books=self._books,
            backlog=self._backlog,
            clock=self._clock,
            headers=headers,
            closed=lambda bill, settlement: self._closed(bill, hold, settlement),
        )
        self._bills.add(bill)
        return bill

    def _closed(self, bill: Bill, hold: Hold | None, settlement: Settlement | None) -> None:
        """`hold` is what was reserved at first."""
        self._bills.discard(bill)
        if settlement is not None:
            if hold is not None:
                self._remaining.give_back(hold, settlement.use.cost)
            self._metrics.cost(settlement.model, settlement.use.cost / NANO)

    def _price(self, model: str) -> Prices:
        return self._prices.get(model, Prices())

    def _bounds(self, generation: Generation) -> Measure:
        return measure(generation.prompt, self._context(generation.model))


def _batches(bills: list[Bill], size: int) -> Iterator[list[Bill]]:
    return (bills[start : start + size] for start in range(0, len(bills), size))
