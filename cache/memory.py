"""Entries in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cache.base import Entry, Fresh, Label, Totals, Which

CLAIM_S: Final = 60.0
"""How long a claim lasts that its run does not renew."""

OVERHEAD: Final = 500
"""Bytes that an entry takes beside its answer, roughly."""


class _Kept:
    __slots__ = ("answer", "generation", "label", "since", "until")

    def __init__(self, generation: str, since: float, until: float) -> None:
        self.generation = generation
        self.since = since
        self.until = until
        self.answer: bytes | None = None
        self.label: Label | None = None


class MemoryCache:
    """The store for one process; see Cache for what it promises. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float], most_bytes: int, claim_s: float = CLAIM_S) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._claim_s = claim_s
        self._entries: OrderedDict[str, _Kept] = OrderedDict()
        """The least lately asked first."""
        self._bytes = 0

    async def claim(self, key: str, generation: str, fresh: Fresh, instead: str | None = None) -> Entry | None:
        entry = self._look(key)
        if entry is not None and entry.generation not in (generation, instead) and fresh.suffices(entry):
            self._entries.move_to_end(key)
            return entry
        if entry is None or entry.generation != generation:
            self._drop(key)
            now = self._clock()
            self._entries[key] = _Kept(generation, now, now + self._claim_s)
        return None

    async def look(self, key: str) -> Entry | None:
        entry = self._look(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    async def keep(self, key: str, generation: str, answer: bytes, ttl_s: float, label: Label) -> bool:
        entry = self._look(key)
        if entry is None or entry.generation != generation:
            return False
        self._drop(key)
        now = self._clock()
        kept = self._entries[key] = _Kept(generation, now, now + ttl_s)
        kept.answer, kept.label = answer, label
        self._bytes += len(answer) + OVERHEAD
        self._make_room()
        return True

    async def release(self, key: str, generation: str) -> None:
        entry = self._look(key)
        if entry is not None and entry.generation == generation and entry.answer is None:
            self._drop(key)

    async def renew(self, claims: dict[str, str]) -> None:
        for key, generation in claims.items():
            entry = self._look(key)
            if entry is not None and entry.generation == generation and entry.answer is None:
                self._entries[key].until = self._clock() + self._claim_s

    async def purge(self, which: Which) -> int:
        gone = [
            name for name, kept in self._entries.items() if kept.label is not None and which.means(name, kept.label)
        ]
        for name in gone:
            self._drop(name)
        return len(gone)

    async def totals(self) -> Totals:
        return Totals(sum(kept.answer is not None for kept in self._entries.values()), self._bytes)

    async def sweep(self) -> None:
        now = self._clock()
        for key in [key for key, kept in self._entries.items() if kept.until <= now]:
            self._drop(key)

    async def close(self) -> None:
        """Memory holds on to nothing."""

    def _look(self, key: str) -> Entry | None:
        kept, now = self._entries.get(key), self._clock()
        if kept is None:
            return None
        if kept.until <= now:
            self._drop(key)
            return None
        return Entry(kept.generation, now - kept.since, kept.until - now, kept.answer)

    def _drop(self, key: str) -> None:
        kept = self._entries.pop(key, None)
        if kept is not None and kept.answer is not None:
            self._bytes -= len(kept.answer) + OVERHEAD

    def _make_room(self) -> None:
        for key in [key for key, kept in self._entries.items() if kept.answer is not None]:
            if self._bytes <= self._most_bytes:
                break
            self._drop(key)
