"""What this replica tells the others of its engines, and what it makes of what they tell."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary, WeakSet

from engines.base import State
from engines.board import Away, Board, Seen, Sighting
from engines.history import History
from engines.orders import Orders
from engines.pool import Pool
from engines.seat import Seat

_SMOOTHING_S: Final = 10.0
_OLD_S: Final = 10.0
"""What others told counts for so long while they cannot be asked again."""

_log = logging.getLogger(__name__)


class Pulse:
    """Keeps what is shared of each engine the same in all replicas. Owns what it begins on the word of others."""

    def __init__(
        self, pool: Pool, board: Board, history: History, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._seen: Seen = {}
        """What all replicas knew of all engines when they were last asked."""
        self._pool = pool
        self._board = board
        self._history = history
        self._clock = clock
        self._wall = wall
        self._orders = Orders(pool, board.replica, wall)
        self._told_at = self._reached_at = clock()
        self._recalled: WeakSet[Seat] = WeakSet()
        self._tokens: WeakKeyDictionary[Seat, int] = WeakKeyDictionary()
        self._booted: WeakKeyDictionary[Seat, int] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def name(self, seat: Seat) -> str:
        """The engine's name among all replicas."""
        return seat.shared or f"{self._board.replica}/{seat.id}"

    async def begin(self) -> None:
        """Learn what is remembered of earlier boots."""
        for seat in self._pool.seats.values():
            if seat in self._recalled:
                continue
            self._recalled.add(seat)
            try:
                seat.remember(await self._history.boots(seat.remembered))
            except Away as away:
                _log.warning("how long %s takes to boot is not known: %s", seat.id, away)

    async def turn(self) -> bool:
        """Tell, and learn; whether the others could be reached."""
        # Engines may have come.
        await self.begin()
        self._count_tokens()
        told = {self.name(seat): self._sighting(seat) for seat in self._pool.seats.values()}
        try:
            self._seen = await self._board.exchange(told)
        except Away:
            if self._clock() - self._reached_at > _OLD_S:
                self._forget()
            return False
        self._reached_at = self._clock()
        self._orders.hear(self._seen)
        for seat in self._pool.seats.values():
            if seat.shared is not None:
                others = self._seen.get(seat.shared, {})
                seat.see({name: each for name, each in others.items() if name != self._board.replica})
                seat.signs = seat.signs.and_those(seat.elsewhere.values(), self._wall())
                self._follow(seat)
        return True

    def seen(self) -> Seen:
        """What all replicas know of all engines: this one now, the others when they last told it."""
        here = self._board.replica
        seen: dict[str, dict[str, Sighting]] = {}
        for engine, told in self._seen.items():
            if others := {name: each for name, each in told.items() if name != here}:
                seen[engine] = others
        for seat in self._pool.seats.values():
            seen.setdefault(self.name(seat), {})[here] = self._sighting(seat)
        return seen

    async def order(self, model: str, act: Literal["warm", "cool"], drain_s: float = 0.0) -> bool:
        """Have all engines of a model warm, or cold, in all replicas; whether the others could be told.

        Returns when that has begun here.
        """
        self._orders.give(model, act, drain_s, self.seen())
        return await self.turn()

    async def take_down(self) -> None:
        """Have boots and arrivals remembered."""
        arrivals = dict(self._pool.arrivals)
        try:
            if arrivals:
                await self._history.came(arrivals)
                self._pool.arrivals.subtract(arrivals)
                self._pool.arrivals += type(self._pool.arrivals)()
            for seat in self._pool.seats.values():
                if seat.boots_done > self._booted.get(seat, 0) and seat.boot_seconds is not None:
                    await self._history.booted(seat.remembered, seat.boot_seconds)
                    self._booted[seat] = seat.boots_done
        except Away as away:
            _log.warning("who came and how long boots took is not taken down: %s", away)

    async def close(self) -> None:
        """End what was begun."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._orders.close()

    def _forget(self) -> None:
        self._seen = {}
        for seat in self._pool.seats.values():
            seat.see({})

    def _follow(self, seat: Seat) -> None:
        """Leave what another replica has stopped; join what another has brought up."""
        others = list(seat.elsewhere.values())
        stopped_at = max((each.stopped_at for each in others), default=0.0)
        warm_since = max((each.since for each in others if each.state is State.WARM), default=0.0)
        # Where it could not be joined, that is tried again when it was brought up anew.
        left_at = max(stopped_at, seat.stopped_at, seat.since if seat.state is State.BROKEN else 0.0)
        # One that is stopped here by an order is drained as that wants it.
        if seat.state is State.WARM and stopped_at > seat.since and not seat.cooled_at:
            self._spawn(self._pool.rest(seat, leave=True))
        elif seat.state in (State.COLD, State.BROKEN) and warm_since > left_at:
            self._pool.boot(seat)

    def _sighting(self, seat: Seat) -> Sighting:
        at, why = seat.next
        model = self._pool.models[seat.model]
        return Sighting(
            model=seat.model,
            state=seat.state,
            stage=seat.stage,
            since=seat.since,
            heard_at=self._unix(seat.heard_at),
            asked_at=self._unix(max(seat.asked_at, seat.heard_at)),
            beat_at=seat.beat_at,
            running=seat.held,
            outstanding=seat.owed,
            tokens_per_s=round(seat.tokens_per_s, 1),
            boots=seat.boots,
            boot_s=seat.boot_seconds,
            ready_s=seat.outlook.ready_s,
            stopped_at=seat.stopped_at,
            beats=seat.beats,
            beat_s=seat.beat_s,
            alarm=seat.alarm,
            failures=seat.trouble.failures,
            missed=seat.trouble.missed,
            failed_at=seat.trouble.at,
            next_at=None if at == math.inf else at,
            next_why=why,
            cooled_at=seat.cooled_at,
            boot_estimate_s=seat.boot_estimate_s,
            waiting=model.waiting if seat is model.seats[0] else 0,
            breaker=seat.calls,
            order=self._orders.told(seat.model),
        )

    def _count_tokens(self) -> None:
        now = self._clock()
        passed, self._told_at = now - self._told_at, now
        if passed <= 0:
            return
        weight = min(1.0, passed / _SMOOTHING_S)
        for seat in self._pool.seats.values():
            given = seat.tokens - self._tokens.get(seat, 0)
            self._tokens[seat] = seat.tokens
            seat.tokens_per_s += weight * (given / passed - seat.tokens_per_s)

    def _unix(self, steady: float) -> float:
        return 0.0 if steady == -math.inf else self._wall() - (self._clock() - steady)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="follow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
