"""One run's money: what it holds while it runs, and what it is charged at its end."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from gateway.admission import NEVER_BEGAN, Outcome
from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished, Terminal
from gateway.generation import Generation, State
from gateway.measure import Measure
from gateway.money.backlog import Backlog
from gateway.money.base import LEASE_S, Books, BooksAway, Cap, Hold, Settlement, Use
from gateway.money.guidance import UNCAPPED, bucket
from gateway.money.prices import Prices

SLICE_MS: Final = 30_000
"""How much compute is reserved ahead, where a second of it has a price."""
_AHEAD_MS: Final = 10_000
"""So long before a slice is used up the next one is reserved."""
_STOP_MS: Final = 2_000
"""So long before the last one is used up the run is stopped."""
_RENEW_S: Final = LEASE_S / 4


class Bill:
    """The admission of one run that pays, or at least is metered.

    `hold` is what it has reserved, None if it needs nothing; `closed` is told when it needs it no longer.
    """

    def __init__(
        self,
        generation: Generation,
        prices: Prices,
        measure: Measure,
        hold: Hold | None,
        *,
        books: Books,
        backlog: Backlog,
        clock: Clock,
        headers: Mapping[str, str],
        closed: Callable[[Bill, Settlement | None], None],
    ) -> None:
        self.headers = headers
        self.on_stop: Callable[[HearthError], None] = lambda error: None
        self.hold = hold
        self._generation = generation
        self._prices = prices
        self._measure = measure
        self._books = books
        self._backlog = backlog
        self._clock = clock
        self._closed = closed
        self._unknown = False
        self._before = 0
        """For how many milliseconds engines had worked for it when this replica took it."""
        self._running_since: float | None = None
        self._renewed_at = clock.steady()

    async def turn(self) -> AsyncGenerator[str]:
        """Money keeps nobody waiting."""
        stages: tuple[str, ...] = ()
        for stage in stages:
            yield stage

    async def inherit(self) -> None:
        """Find out what was reserved by the replica that let it in; tried again by `renew`."""
        self._unknown = True
        try:
            self.hold = await self._books.held(self._generation.key, self._generation.id)
        except BooksAway:
            return
        self._unknown = False
        self._renewed_at = -math.inf
        self._before = self.hold.milliseconds if self.hold is not None else 0

    async def renew(self) -> None:
        """Keep what is reserved, and reserve more before it is used up; called every second."""
        if self._unknown:
            await self.inherit()
        if self._running_since is None and self._generation.state is State.RUNNING:
            self._running_since = self._clock.steady()
        wanted = self._wanted()
        if wanted is None:
            return
        try:
            await self._ask(wanted)
        except BooksAway:
            if self._used_up:
                self.on_stop(HearthError("state_unavailable"))

    async def close(self, outcome: Outcome | None) -> None:
        """Charge what was used. None leaves the books as they are, for the replica that goes on."""
        settlement = None if outcome is None else self._settlement(outcome)
        self._closed(self, settlement)
        if settlement is None:
            return
        if self.hold is None:
            # Nobody waits for it: it is written with the others of the same second.
            self._backlog.add(settlement)
        else:
            await self._backlog.settle(settlement)

    @property
    def _used(self) -> int:
        since = self._running_since
        return self._before + (0 if since is None else round((self._clock.steady() - since) * 1000))

    @property
    def _covered(self) -> float:
        """For how many milliseconds of compute what is held suffices."""
        if self.hold is None or not self._prices.second:
            return math.inf
        return float((self.hold.amount - self._prices.most(self._measure, 0)) * 1000 / self._prices.second)

    @property
    def _used_up(self) -> bool:
        return self._used + _STOP_MS >= self._covered

    def _wanted(self) -> Hold | None:
        """What to reserve now, instead of what is held; None when that will do."""
        if self.hold is None:
            return None
        used = self._used
        if used + _AHEAD_MS > self._covered:
            return self.hold._replace(amount=self._prices.most(self._measure, used + SLICE_MS), milliseconds=used)
        if self._clock.steady() - self._renewed_at >= _RENEW_S:
            return self.hold._replace(milliseconds=used)
        return None

    async def _ask(self, wanted: Hold) -> None:
        """Reserve that, or as much as there is; else the run ends when it has used up what it has. Raises BooksAway."""
        assert self.hold is not None
        answer = await self._books.hold(wanted)
        if not answer.held and answer.left >= self.hold.amount:
            wanted = wanted._replace(amount=answer.left)
            answer = await self._books.hold(wanted)
        if answer.held:
            self.hold, self._renewed_at = wanted, self._clock.steady()
        # Less than it had is left when nobody could renew it, and it lapsed and went to others.
        if self._used_up or (not answer.held and answer.left < self.hold.amount):
            self.on_stop(HearthError("budget_exceeded", "This key's budget was used up while this was answered."))

    def _settlement(self, outcome: Outcome) -> Settlement:
        terminal, generation = outcome.terminal, self._generation
        usage, milliseconds = terminal.usage, self._before + round(outcome.seconds * 1000)
        cost = self._prices.cost(usage, milliseconds)
        use = Use(1, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, milliseconds, cost)
        return Settlement(
            generation.id,
            generation.key,
            generation.model,
            _outcome(terminal),
            generation.created,
            Use() if outcome is NEVER_BEGAN else use,
            self.hold,
            _cap(generation, terminal),
        )


def _outcome(terminal: Terminal) -> str:
    match terminal:
        case Finished():
            return "finished"
        case Failed():
            return f"failed:{terminal.code}"
        case Canceled():
            return f"canceled:{terminal.by}"


def _cap(generation: Generation, terminal: Terminal) -> Cap | None:
    if not isinstance(terminal, Finished):
        return None
    asked = generation.prompt.parameters.get("max_tokens")
    used = terminal.usage.completion_tokens // generation.prompt.choices
    return Cap(bucket(asked) if asked else UNCAPPED, bucket(used), terminal.reason == "length")
