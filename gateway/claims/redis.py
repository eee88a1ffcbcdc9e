"""Claims in Redis: a retry finds its generation from any replica."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.claims.base import Claim
from gateway.claims.memory import MemoryClaims
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_DEADLINE_S: Final = 0.5
"""How long a call waits for Redis before it goes on without it."""
_CONNECTIONS: Final = 16
"""Each create looks here. Of 200 at once some would be overtaken, at two, until Redis seemed away."""
_MOST: Final = 10_000
"""Claims that a Redis which came back empty is given again, the newest ones."""
_AT_ONCE: Final = 20
_FOLDER: Final = Path(__file__).parent / "scripts"


class RedisClaims:
    """The store that replicas share; see Claims for what it promises. `clock` gives steady seconds.

    What was claimed here is remembered here too. So while Redis is away a retry that comes to the same replica still
    finds its generation; and Redis is given what it missed when that key is asked for again, and what it has lost at
    once, when it comes back as another run.
    """

    def __init__(
        self,
        address: Address,
        clock: Callable[[], float],
        keep_s: float,
        *,
        prefix: str = "hearth",
        run: Callable[[], str] = lambda: "",
    ) -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("claims", client, clock, _DEADLINE_S)
        self._here = MemoryClaims(clock, keep_s)
        self._keep_ms = round(keep_s * 1000)
        self._prefix = prefix
        self._run = run
        """Which run of Redis there is: another one may have lost what it was told."""
        self._told = ""
        self._claim, self._peek, self._release = _script("claim"), _script("peek"), _script("release")

    async def claim(self, name: str, claim: Claim, instead: str | None = None) -> Claim | None:
        known = self._here.get(name)
        offered = claim if known is None or known.generation == instead else known
        # Noted first: should the answer be lost, the claim may have been made.
        self._here.put(name, offered)
        try:
            standing = await self._offer(name, offered, instead)
        except Away:
            standing = offered
        if standing.generation != offered.generation:
            await self._here.release(name, offered.generation)
        return None if standing.generation == claim.generation else standing

    async def _offer(self, name: str, offered: Claim, instead: str | None) -> Claim:
        """The claim that stands now. Raises Away."""
        age_ms = round(offered.age_s * 1000)
        told = [offered.generation, offered.digest, age_ms, self._keep_ms, instead or ""]
        return _claim(await self._link.script(self._claim, [self._key(name)], told))

    async def peek(self, name: str) -> Claim | None:
        try:
            standing = await self._link.script(self._peek, [self._key(name)], [])
        except Away:
            return self._here.get(name)
        return _claim(standing) if standing else None

    async def release(self, name: str, generation: str) -> bool:
        had = await self._here.release(name, generation)
        try:
            return bool(await self._link.script(self._release, [self._key(name)], [generation]))
        except Away:
            return had  # A claim whose generation never began makes room for a retry by itself.

    async def sweep(self) -> None:
        run = self._run()
        if run == self._told:
            return
        try:
            if self._told:
                for batch in _batches(itertools.islice(self._here.all(), _MOST), _AT_ONCE):
                    await asyncio.gather(*(self._offer(name, claim, None) for name, claim in batch))
            self._told = run
        except Away:
            return  # The next sweep tries again.

    async def close(self) -> None:
        await self._link.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:claim:{name}"


def _batches(claims: Iterator[tuple[str, Claim]], size: int) -> Iterator[list[tuple[str, Claim]]]:
    while batch := list(itertools.islice(claims, size)):
        yield batch


def _claim(told: Sequence[Any]) -> Claim:
    generation, digest, age_ms = told
    return Claim(generation.decode(), digest.decode(), max(0, age_ms) / 1000)


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
