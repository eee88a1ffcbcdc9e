"""What somebody wants of a model: all of its engines warm, or all cold, in every replica.

An order goes the way of what replicas tell each other anyway: it is told for a while, and each replica carries it out
on its own engines once. A shared engine is stopped by one of those that have it; the others leave it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final, Literal

from engines.base import State
from engines.board import Order, Seen
from engines.pool import Pool
from engines.seat import Seat

TOLD_S: Final = 10.0
"""For how long an order is told: a replica asks for what others tell far more often."""
_NEXT: Final = 1e-3


class Orders:
    """Gives orders, and carries out those of all replicas. Owns one task for each that it carries out.

    `wall` gives unix seconds.
    """

    def __init__(self, pool: Pool, replica: str, wall: Callable[[], float]) -> None:
        self._pool = pool
        self._replica = replica
        self._wall = wall
        self._given: dict[str, Order] = {}
        """By model, those of this replica."""
        self._done: dict[str, float] = {}
        """By model, when the last one was given that was carried out here."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def give(self, model: str, act: Literal["warm", "cool"], drain_s: float, seen: Seen) -> None:
        """Have something done by all who serve the model, and begin with it here. Returns at once."""
        at = max(self._wall(), self._done.get(model, -math.inf) + _NEXT)
        order = self._given[model] = Order(at=at, act=act, drain_s=drain_s)
        self._carry_out(model, order, seen)

    def told(self, model: str) -> Order | None:
        """What the other replicas are to be told."""
        order = self._given.get(model)
        return order if order is not None and self._wall() - order.at < TOLD_S else None

    def hear(self, seen: Seen) -> None:
        """Carry out what others have told, and what was not done yet."""
        newest: dict[str, Order] = {}
        for sighting in (each for told in seen.values() for each in told.values()):
            order = sighting.order
            if order is not None and (sighting.model not in newest or order.at > newest[sighting.model].at):
                newest[sighting.model] = order
        for model, order in newest.items():
            if model in self._pool.models and order.at > self._done.get(model, -math.inf):
                self._carry_out(model, order, seen)

    async def close(self) -> None:
        """End what was begun."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _carry_out(self, model: str, order: Order, seen: Seen) -> None:
        self._done[model] = order.at
        if order.act == "warm":
            self._pool.warm(model)
            return
        leave = [seat for seat in self._pool.models[model].seats if not self._stops(seat, seen)]
        work = self._pool.cool(model, order.drain_s, leave=leave)
        task = asyncio.create_task(work, name=f"cool {model}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stops(self, seat: Seat, seen: Seen) -> bool:
        """Whether it is this replica that stops an engine: its own, or a shared one that no other has before it."""
        if seat.shared is None:
            return True
        having = [name for name, each in seen.get(seat.shared, {}).items() if each.state in (State.BOOTING, State.WARM)]
        return self._replica == min(having, default=self._replica)
