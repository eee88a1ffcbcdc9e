"""Claims in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from gateway.claims.base import Claim

MOST: Final = 100_000
"""Claims held; past it the oldest go. They take some 56 MB."""


class _Kept(NamedTuple):
    claim: Claim
    since: float


class MemoryClaims:
    """The store for one process; see Claims for what it promises. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float], keep_s: float, most: int = MOST) -> None:
        self._clock = clock
        self._keep_s = keep_s
        self._most = most
        self._claims: OrderedDict[str, _Kept] = OrderedDict()

    async def claim(self, name: str, claim: Claim, instead: str | None = None) -> Claim | None:
        held = self.get(name)
        if held is not None and held.generation not in (claim.generation, instead):
            return held
        if held is None or held.generation != claim.generation:
            self.put(name, claim)
        return None

    async def peek(self, name: str) -> Claim | None:
        return self.get(name)

    async def release(self, name: str, generation: str) -> bool:
        held = self.get(name)
        if held is None or held.generation != generation:
            return False
        del self._claims[name]
        return True

    async def sweep(self) -> None:
        """What is in memory stays there."""

    async def close(self) -> None:
        """Memory holds nothing that has to be let go of."""

    def get(self, name: str) -> Claim | None:
        """The claim that stands, as old as it is now."""
        kept = self._claims.get(name)
        if kept is None or (age_s := self._clock() - kept.since) >= self._keep_s:
            return None
        return kept.claim._replace(age_s=age_s)

    def all(self) -> Iterator[tuple[str, Claim]]:
        """Every claim that stands, the newest first."""
        for name in reversed(list(self._claims)):
            if (claim := self.get(name)) is not None:
                yield name, claim

    def put(self, name: str, claim: Claim) -> None:
        """Hold this claim, whatever stood there."""
        now = self._clock()
        self._claims.pop(name, None)
        self._claims[name] = _Kept(claim, now - claim.age_s)
        while self._claims:
            oldest = next(iter(self._claims.values()))
            if len(self._claims) <= self._most and now - oldest.since < self._keep_s:
                break
            self._claims.popitem(last=False)
