"""Questions in the memory of one process: every vector is compared, so that the nearest is found for certain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from cache.base import Label, Which
from cache.vectors.base import MOST_NEAR, Near

MOST: Final = 10_000
"""Questions held; past it the oldest go. With 384 dimensions they take some 20 MB, and a search of all half a
millisecond."""

_ROOM: Final = 16


class _Asked(NamedTuple):
    row: int
    text: str
    label: Label
    until: float


class _Place:
    """The questions of one place, and a row for each of their vectors."""

    def __init__(self, dimensions: int) -> None:
        self.asked: dict[str, _Asked] = {}
        self.keys: list[str] = []
        """By row."""
        self.rows: Any = np.empty((_ROOM, dimensions), np.float32)

    def put(self, key: str, asked: _Asked, direction: Any) -> None:
        if len(self.keys) == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        row = len(self.keys)
        self.rows[row] = direction
        self.keys.append(key)
        self.asked[key] = asked._replace(row=row)

    def take(self, key: str) -> None:
        row = self.asked.pop(key).row
        # The last one moves to where it was.
        last = self.keys.pop()
        if last != key:
            self.keys[row] = last
            self.rows[row] = self.rows[len(self.keys)]
            self.asked[last] = self.asked[last]._replace(row=row)


class MemoryVectors:
    """The index for one process; see Vectors for what it promises. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._places: dict[str, _Place] = {}
        self._order: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Place and fingerprint of each question, the oldest first."""

    async def nearest(self, place: str, vector: bytes, least: float) -> list[Near]:
        held = self._places.get(place)
        direction = _direction(vector)
        if held is None or held.rows.shape[1] != len(direction):
            return []
        now = self._clock()
        similarities = held.rows[: len(held.keys)] @ direction
        found: list[Near] = []
        for row in np.argsort(-similarities)[:MOST_NEAR]:
            key = held.keys[row]
            if similarities[row] >= least and held.asked[key].until > now:
                found.append(Near(key, held.asked[key].text, float(similarities[row])))
        return found

    async def add(self, place: str, fingerprint: str, text: str, vector: bytes, ttl_s: float, label: Label) -> None:
        direction = _direction(vector)
        await self.remove(place, fingerprint)
        held = self._places.setdefault(place, _Place(len(direction)))
        held.put(fingerprint, _Asked(0, text, label, self._clock() + ttl_s), direction)
        self._order[place, fingerprint] = None
        while len(self._order) > self._most:
            await self.remove(*next(iter(self._order)))

    async def remove(self, place: str, fingerprint: str) -> None:
        held = self._places.get(place)
        if held is not None and fingerprint in held.asked:
            held.take(fingerprint)
            del self._order[place, fingerprint]
            if not held.asked:
                del self._places[place]

    async def purge(self, which: Which) -> int:
        meant = [
            (place, name)
            for place, held in self._places.items()
            for name, asked in held.asked.items()
            if which.means(name, asked.label)
        ]
        for place, name in meant:
            await self.remove(place, name)
        return len(meant)

    async def close(self) -> None:
        """Memory holds nothing that has to be let go of."""


def _direction(vector: bytes) -> Any:
    direction = np.frombuffer(vector, "<f4").astype(np.float32)
    length = float(np.linalg.norm(direction))
    return direction / length if length else direction
