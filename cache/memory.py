"""Entries in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from cache.base import Entry, Fresh, Label, Totals, Which

CLAIM_S: Final = 60.0
"""How long a claim lasts that its run does not renew."""

OVERHEAD: Final = 500
"""Bytes that an entry takes beside its answer, roughly."""


_SPARE: Final = 1024


class _Part(NamedTuple):
    """An answer, or the claim of a run that has none yet."""

    generation: str
    label: Label
    since: float
    until: float
    answer: bytes | None = None

    @property
    def size(self) -> int:
        return 0 if self.answer is None else len(self.answer) + OVERHEAD


class _Kept:
    """One question: an answer that is given meanwhile, and a run that is to give a new one."""

    __slots__ = ("answer", "claim")

    def __init__(self) -> None:
        self.answer: _Part | None = None
        self.claim: _Part | None = None


class MemoryCache:
    """The store for one process; see Cache for what it promises. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float], most_bytes: int, claim_s: float = CLAIM_S) -> None:
        self.available = True
        self._clock = clock
        self._most_bytes = most_bytes
        self._claim_s = claim_s
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        """The least lately asked first."""
        self._bytes = 0
        self._due: list[tuple[float, str]] = []
        """When something of a question runs out, as a heap: every part stands in it once at least."""

    async def claim(
        self, key: str, generation: str, fresh: Fresh, label: Label, instead: str | None = None
    ) -> Entry | None:
        kept = self._find(key)
        if kept.claim is not None and kept.claim.generation == generation:
            return None
        if kept.answer is not None and kept.answer.generation == instead:
            self._put(kept, None)
        for part in (kept.answer, kept.claim):
            if part is not None and part.generation != instead and fresh.suffices(entry := self._entry(part)):
                return entry
        now = self._clock()
        kept.claim = _Part(generation, label, now, now + self._claim_s)
        self._note(key, kept.claim)
        return None

    async def look(self, key: str) -> Entry | None:
        kept = self._find(key)
        part = kept.answer or kept.claim
        if part is None:
            del self._kept[key]
        return None if part is None else self._entry(part)

    async def keep(self, key: str, generation: str, answer: bytes, ttl_s: float) -> bool:
        kept = self._there(key)
        claim = None if kept is None else kept.claim
        if kept is None or claim is None or claim.generation != generation:
            return False
        now = self._clock()
        part = _Part(generation, claim.label, now, now + ttl_s, answer)
        kept.claim = None
        if part.size > self._most_bytes:
            return False
        self._put(kept, part)
        self._note(key, part)
        self._make_room()
        return True

    async def release(self, key: str, generation: str) -> None:
        kept = self._there(key)
        if kept is not None and kept.claim is not None and kept.claim.generation == generation:
            kept.claim = None
            if kept.answer is None:
                del self._kept[key]

    async def renew(self, claims: dict[str, str]) -> None:
        for key, generation in claims.items():
            kept = self._there(key)
            if kept is not None and kept.claim is not None and kept.claim.generation == generation:
                kept.claim = kept.claim._replace(until=self._clock() + self._claim_s)
                self._note(key, kept.claim)

    async def purge(self, which: Which) -> int:
        gone = [key for key, part in self._parts() if which.means(key, part.label)]
        for key in gone:
            if (kept := self._kept.pop(key, None)) is not None:
                self._put(kept, None)
        return len(set(gone))

    async def totals(self) -> Totals:
        return Totals(sum(kept.answer is not None for kept in self._kept.values()), self._bytes)

    async def sweep(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, key = heappop(self._due)
            if (kept := self._kept.get(key)) is not None:
                self._expire(kept)
                if kept.answer is None and kept.claim is None:
                    del self._kept[key]

    async def close(self) -> None:
        """Memory holds on to nothing."""

    def _find(self, key: str) -> _Kept:
        """What stands for a question now, as the one asked for most lately."""
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        self._expire(kept)
        return kept

    def _there(self, key: str) -> _Kept | None:
        """The same, if anything stands for it."""
        return self._find(key) if key in self._kept else None

    def _expire(self, kept: _Kept) -> None:
        now = self._clock()
        if kept.answer is not None and kept.answer.until <= now:
            self._put(kept, None)
        if kept.claim is not None and kept.claim.until <= now:
            kept.claim = None

    def _put(self, kept: _Kept, answer: _Part | None) -> None:
        self._bytes += (0 if answer is None else answer.size) - (0 if kept.answer is None else kept.answer.size)
        kept.answer = answer

    def _note(self, key: str, part: _Part) -> None:
        heappush(self._due, (part.until, key))
        if len(self._due) > 4 * len(self._kept) + _SPARE:
            # Most of it is of what was let go of long before.
            self._due = [(part.until, key) for key, part in self._parts()]
            heapify(self._due)

    def _entry(self, part: _Part) -> Entry:
        now = self._clock()
        return Entry(part.generation, now - part.since, part.until - now, part.answer)

    def _parts(self) -> Iterator[tuple[str, _Part]]:
        for key, kept in self._kept.items():
            for part in (kept.answer, kept.claim):
                if part is not None:
                    yield key, part

    def _make_room(self) -> None:
        while self._bytes > self._most_bytes:
            key, kept = next(iter(self._kept.items()))
            self._put(kept, None)
            if kept.claim is None:
                del self._kept[key]
            else:
                self._kept.move_to_end(key)
