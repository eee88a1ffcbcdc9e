"""What several contenders measured, round by round: a ratio is always of two turns that followed each other. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Rounds(Generic[T]):
    """Every turn of every contender, in the order of the rounds."""

    def __init__(self, names: Sequence[str]) -> None:
        self.turns: dict[str, list[T]] = {name: [] for name in names}

    @property
    def names(self) -> list[str]:
        """The contenders, as they were given."""
        return list(self.turns)

    def note(self, name: str, turn: T) -> None:
        """Add one turn."""
        self.turns[name].append(turn)

    def all(self) -> list[T]:
        """Every turn of everyone."""
        return [turn for turns in self.turns.values() for turn in turns]

    def median(self, name: str, of: Callable[[T], float]) -> float:
        """The middle of the rounds."""
        return statistics.median(map(of, self.turns[name]))

    def ratios(self, name: str, to: str, of: Callable[[T], float]) -> list[float]:
        """One for each round, of two turns of the same round; NaN where the other was nothing."""
        pairs = zip(self.turns[name], self.turns[to], strict=True)
        return [of(ours) / of(theirs) if of(theirs) else float("nan") for ours, theirs in pairs]


def spread(values: Sequence[float]) -> str:
    """The median, and in brackets the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}..{max(values):.3g})"
