"""A store that others share, and one of one's own for while that cannot be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from cache.base import Cache, Entry, Fresh, Label, Totals, Unavailable, Which

_T = TypeVar("_T")

_PAUSE_S: Final = 1.0
"""How long a store that was away is not asked again: nobody waits for it meanwhile."""


class Fallback:
    """Asks the shared store; while it is away each process shares what it has by itself. See Cache.

    An answer is kept where its claim was made. Only `purge` and `totals` raise Unavailable: whoever asks for them means
    what all have. `clock` gives steady seconds.
    """

    def __init__(self, shared: Cache, own: Cache, clock: Callable[[], float]) -> None:
        self._shared = shared
        self._own = own
        self._clock = clock
        self._again_at = 0.0
        self.available = True

    async def claim(
        self, key: str, generation: str, fresh: Fresh, label: Label, instead: str | None = None
    ) -> Entry | None:
        return await self._ask(lambda store: store.claim(key, generation, fresh, label, instead))

    async def look(self, key: str) -> Entry | None:
        return await self._ask(lambda store: store.look(key))

    async def keep(self, key: str, generation: str, answer: bytes, ttl_s: float) -> bool:
        kept = await self._own.keep(key, generation, answer, ttl_s)
        return await self._ask(lambda store: store.keep(key, generation, answer, ttl_s)) or kept

    async def release(self, key: str, generation: str) -> None:
        await self._own.release(key, generation)
        await self._ask(lambda store: store.release(key, generation))

    async def renew(self, claims: dict[str, str]) -> None:
        await self._own.renew(claims)
        if claims:
            await self._ask(lambda store: store.renew(claims))
        else:
            # Asked for its own sake: so that it is known whether the store is there.
            await self._ask(lambda store: store.totals())

    async def purge(self, which: Which) -> int:
        await self._own.purge(which)
        return await self._shared.purge(which)

    async def totals(self) -> Totals:
        return await self._shared.totals()

    async def sweep(self) -> None:
        await self._own.sweep()
        await self._shared.sweep()

    async def close(self) -> None:
        await self._own.close()
        await self._shared.close()

    async def _ask(self, ask: Callable[[Cache], Awaitable[_T]]) -> _T:
        """What the shared store says, or one's own while that is away."""
        if self._clock() >= self._again_at:
            try:
                said = await ask(self._shared)
            except Unavailable:
                self.available = False
                self._again_at = self._clock() + _PAUSE_S
            else:
                self.available = True
                return said
        return await ask(self._own)
