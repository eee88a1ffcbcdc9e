"""What is to be written into the books, and waits while they are away."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Final

from gateway.money.base import Books, BooksAway, Settlement
from gateway.money.prices import written

MOST: Final = 50_000
"""Settlements that wait; past it the oldest are lost, and the log says so."""
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

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, settlement: Settlement) -> None:
        """Have it written with the next ones."""
        self._waiting[settlement.id] = settlement
        if len(self._waiting) > self._most:
            lost = self._waiting.pop(next(iter(self._waiting)))
            _log.error("usage is lost: %s of key %s, cost %s", lost.id, lost.key, written(lost.use.cost))

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
                if self.away:
                    _log.warning("the books are back")
                    self.away = False

    async def close(self) -> None:
        """Write what waits, and say what could not be written."""
        await self.write(again=True)
        if self._waiting:
            cost = sum(settlement.use.cost for settlement in self._waiting.values())
            _log.error("usage of %d runs is lost, cost %s", len(self._waiting), written(cost))

    def _fall(self, reason: str) -> None:
        if not self.away:
            _log.warning("the books are away, usage waits in memory: %s", reason)
        self.away = True
