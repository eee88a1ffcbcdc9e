"""How many predictions a server runs at once, and who waits for that: in the order in which they came."""

from __future__ import annotations

import asyncio
from typing import Final

from engines.errors import EngineError

_MOST_WAITING: Final = 256


class Slots:
    """A slot is taken for each prediction, and given back when the server is rid of it, which may be later."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._taken = 0
        self._waiting = 0

    async def take(self) -> None:
        """Wait for a slot. Raises EngineError `engine_busy` where too many wait already."""
        if self._waiting >= _MOST_WAITING:
            raise EngineError("engine_busy", f"{self._waiting} wait for this model already; try again shortly.")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self._taken += 1

    def give_back(self) -> None:
        """Let the next one have it."""
        self._taken -= 1
        self._free.release()

    @property
    def are_free(self) -> bool:
        """Whether nobody has one."""
        return not self._taken
