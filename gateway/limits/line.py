"""In which order those who wait are served: keys take turns, and what one key asks is served as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Final

KEPT: Final = 1000
"""Keys of which it is remembered when they were served; past it the longest ago are forgotten."""


class Line:
    """Who waits, for whom. The key whose last turn is longest ago is next; one that had none yet is before it."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        """The key of each who waits, in the order they came."""
        self._served: dict[str, int] = {}
        """The number of each key's last turn, the longest ago first."""
        self._turns = 0

    def __len__(self) -> int:
        return len(self._keys)

    def join(self, holder: str, key: str) -> None:
        """Wait, behind all that this key has in the line."""
        self._keys[holder] = key

    def leave(self, holder: str) -> None:
        """Wait no longer; harmless when it does not."""
        self._keys.pop(holder, None)

    def makes_room(self, key: str, kept: Set[str] = frozenset()) -> str | None:
        """Who would give up its place for one more of this key: the newest of the key that has most, if that has more
        than this one would have then. Never one of those `kept`.
        """
        waiting = Counter(owner for holder, owner in self._keys.items() if holder not in kept)
        if not waiting:
            return None
        greediest, most = waiting.most_common(1)[0]
        own = sum(owner == key for owner in self._keys.values())
        if most <= own + 1:
            return None
        return next(
            holder for holder, owner in reversed(self._keys.items()) if owner == greediest and holder not in kept
        )

    def note_turn(self, key: str) -> None:
        """This key had its turn now."""
        self._turns += 1
        self._served.pop(key, None)
        self._served[key] = self._turns
        if len(self._served) > KEPT:
            del self._served[next(iter(self._served))]

    def order(self) -> list[str]:
        """All who wait, the next one first, as it would be if nobody else came."""
        rounds: Counter[str] = Counter()
        came: dict[str, int] = {}
        ranked = []
        for at, (holder, key) in enumerate(self._keys.items()):
            ranked.append((rounds[key], self._served.get(key, 0), came.setdefault(key, at), holder))
            rounds[key] += 1
        return [holder for *_, holder in sorted(ranked)]
