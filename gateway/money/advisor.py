"""What is said of a max_tokens at once, from figures that were read a moment ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.money.base import Books, Cap
from gateway.money.guidance import advice

_FRESH_S: Final = 60.0
_KEYS: Final = 1_000
"""Keys whose figures are held; past it those asked least lately go."""
_AT_ONCE: Final = 10
"""Keys read in one round."""

_Figures = dict[str, dict[Cap, int]]


class Advisor:
    """Knows how the runs of the keys that ask went. `clock` gives unix seconds."""

    def __init__(self, books: Books, clock: Callable[[], float]) -> None:
        self._books = books
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, _Figures]] = OrderedDict()

    def advise(self, key: str, model: str, asked: int | None) -> str | None:
        """What to say; None of a key that has not asked before."""
        _, figures = self._known.setdefault(key, (0.0, {}))
        self._known.move_to_end(key)
        if len(self._known) > _KEYS:
            self._known.popitem(last=False)
        return advice(figures[model], asked) if asked and model in figures else None

    async def read(self) -> None:
        """Look again at some of those whose figures are old. Raises BooksAway."""
        now = self._clock()
        old = [key for key, (read_at, _) in self._known.items() if now - read_at >= _FRESH_S]
        for key in old[:_AT_ONCE]:
            figures: _Figures = {}
            for line in await self._books.caps(now, key):
                figures.setdefault(line.model, {})[line.cap] = line.runs
            if key in self._known:
                self._known[key] = (now, figures)
