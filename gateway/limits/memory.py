"""Limits in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final

from gateway.limits.base import Rate, Standing, Subject, Unit
from gateway.limits.bucket import Bucket, settled, standing, taken, wait

KEEP_S: Final = 3600.0
"""How long a full bucket is remembered: a run may take so long until it tells what it used."""


class MemoryLimiter:
    """The store for one process; see Limiter for what it promises. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[Subject, Unit], Bucket] = OrderedDict()
        """The one used longest ago first."""
        self._held: dict[Subject, set[str]] = {}

    async def take(self, rates: Sequence[Rate], cost: int) -> list[Standing]:
        used = [self._used(rate.subject, rate.unit) for rate in rates]
        waits = [wait(rate, before, cost) for rate, before in zip(rates, used, strict=True)]
        if not any(waits):
            used = [taken(rate.per_minute, before, cost) for rate, before in zip(rates, used, strict=True)]
            for rate, after in zip(rates, used, strict=True):
                self.put(rate, after)
        return [standing(*each) for each in zip(rates, used, waits, strict=True)]

    async def settle(self, subject: Subject, unit: Unit, cost: int, used: int) -> None:
        bucket = self._buckets.get((subject, unit))
        if bucket is not None:
            after = settled(bucket.per_minute, self._used(subject, unit), cost, used)
            self.put(Rate(subject, unit, bucket.per_minute), after)

    async def hold(self, subject: Subject, most: int, holder: str) -> bool:
        held = self._held.get(subject, set())
        if holder not in held and len(held) >= most:
            return False
        self.keep(subject, holder)
        return True

    async def hold_in_turn(self, subject: Subject, most: int, holder: str, key: str) -> bool:
        # There is no other replica.
        return await self.hold(subject, most, holder)

    async def release(self, subject: Subject, holder: str) -> None:
        self.leave(subject, holder)

    def leave(self, subject: Subject, holder: str) -> None:
        held = self._held.get(subject)
        if held is not None:
            held.discard(holder)
            if not held:
                del self._held[subject]

    async def renew(self) -> None:
        """What is in memory stays there."""

    async def close(self) -> None:
        """Memory holds nothing that has to be let go of."""

    @property
    def held(self) -> Mapping[Subject, Set[str]]:
        """Who holds slots now."""
        return self._held

    def keep(self, subject: Subject, holder: str) -> None:
        """Note that it has a slot, however many there are."""
        self._held.setdefault(subject, set()).add(holder)

    def put(self, rate: Rate, used: float) -> None:
        """Note how much of a bucket is used now."""
        now = self._clock()
        name = rate.subject, rate.unit
        self._buckets[name] = Bucket(rate.per_minute, used, now)
        self._buckets.move_to_end(name)
        while next(iter(self._buckets.values())).used_by(now - KEEP_S) == 0:
            self._buckets.popitem(last=False)

    def _used(self, subject: Subject, unit: Unit) -> float:
        bucket = self._buckets.get((subject, unit))
        return 0.0 if bucket is None else bucket.used_by(self._clock())
