"""What is to be written into the books, and waits while they are away."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Final

from gateway.money.base import Books, BooksAway, Settlement
from gateway.money.prices import written

MOST: Final = 50_000
"""Settlements that wait; past it the oldest are lost, and the log says how many."""
_AT_ONCE: Final = 500

_log = logging.getLogger(__name__)


class Backlog:
    """Settlements on their way into the books. They are written together if they come together."""

    def __init__(self, books: Books, most: int = MOST) -> None:
        self._books = books
        self._most = most
        self._waiting: dict[str, Settlement] = {}
        self._writing = asyncio.Lock()
        self.away = False
        """Whether the books could not be written when that was last tried."""
        self._lost = self._lost_cost = 0
        """Runs that were forgotten since the books went away, and what they cost."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, settlement: Settlement) -> None:
        """Have it written with the next ones."""
        self._waiting[settlement.id] = settlement
        if len(self._waiting) > self._most:
            self._lose(next(iter(self._waiting)))

    async def settle(self, settlement: Settlement) -> None:
        """Write it, or keep it if that cannot be done now."""
        self.add(settlement)
        if not self.away:
            await self.write()

    async def write(self, *, again: bool = False) -> None:
        """Write all that waits; `again` also when the last try failed. What cannot be written goes on waiting."""
        async with self._writing:
            while self._waiting and (again or not self.away):
                batch = list(itertools.islice(self._waiting.values(), _AT_ONCE))
                try:
                    await self._books.settle(batch)
                except BooksAway as error:
                    self._fall(str(error))
                    return
                for settlement in batch:
                    self._waiting.pop(settlement.id, None)
                self._rise()

    async def close(self) -> None:
        """Write what waits, and say what could not be written."""
        await self.write(again=True)
        for id in list(self._waiting):
            self._lose(id)
        self._tell_lost()

    def _lose(self, id: str) -> None:
        if not self._lost:
            _log.error("usage is being lost: as much waits for the books as may")
        self._lost += 1
        self._lost_cost += self._waiting.pop(id).use.cost

    def _tell_lost(self) -> None:
        if self._lost:
            _log.error("usage of %d runs is lost, cost %s", self._lost, written(self._lost_cost))
        self._lost = self._lost_cost = 0

    def _fall(self, reason: str) -> None:
        if not self.away:
            _log.warning("the books are away, usage waits in memory: %s", reason)
        self.away = True

    def _rise(self) -> None:
        if self.away:
            _log.warning("the books are back")
        self.away = False
        self._tell_lost()
