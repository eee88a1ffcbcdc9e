"""How many calls are under way at once: to one host, and in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class Lanes:
    """A slow host fills its own lanes, and leaves the others to the rest. Those who wait go in turn."""

    def __init__(self, most: int = 64, per_host: int = 8) -> None:
        self._all = asyncio.Semaphore(most)
        self._per_host = per_host
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def lane(self, host: str, within_s: float | None = None) -> AsyncGenerator[None]:
        """Have a lane to that host, as soon as there is one. Raises TimeoutError when there was none in that time."""
        own = self._hosts.setdefault(host, asyncio.Semaphore(self._per_host))
        async with AsyncExitStack() as taken:
            async with asyncio.timeout(within_s):
                # The host's own first: whoever waits for that must not take a place from others.
                await taken.enter_async_context(own)
                await taken.enter_async_context(self._all)
            yield
