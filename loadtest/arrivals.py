"""When requests come: decided before anything is sent, and the same for the same seed. No I/O."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Protocol

MOST_RATE = 100_000.0
MOST_STREAMS = 16_384
_LONGEST_S = 3_600.0

Bounds = tuple[tuple[str, float, float], ...]
"""Names and values that must be more than 0, and the most that each may be."""


class Open(Protocol):
    """Requests come when they come, however many are still running."""

    def times(self, seed: int) -> Iterator[float]:
        """Yield the seconds at which they do, never backwards; it may not end."""

    def bounds(self) -> Bounds: ...


@dataclass(frozen=True, slots=True)
class Closed:
    """So many at a time; who got an answer thinks for so long, and asks again."""

    streams: int = 1
    think_s: float = 0.0

    def bounds(self) -> Bounds:
        return ("streams", self.streams, MOST_STREAMS), ("think", self.think_s + 1, _LONGEST_S)

    def share(self, client: int, clients: int) -> Closed:
        """Return what one of several client processes has of it."""
        return Closed(self.streams // clients + (client < self.streams % clients), self.think_s)

    def __str__(self) -> str:
        return f"closed loop, {self.streams} at a time" + (f", {self.think_s:g} s to think" if self.think_s else "")


@dataclass(frozen=True, slots=True)
class Poisson:
    """So many a second, each independent of the others."""

    rate: float

    def times(self, seed: int) -> Iterator[float]:
        return (work / self.rate for work in _unit(seed))

    def bounds(self) -> Bounds:
        return (("rate", self.rate, MOST_RATE),)

    def __str__(self) -> str:
        return f"open loop, Poisson, {self.rate:g} a second"


@dataclass(frozen=True, slots=True)
class Bursts:
    """So many at once, every so many seconds."""

    size: int
    every_s: float

    def times(self, seed: int) -> Iterator[float]:
        return (number // self.size * self.every_s for number in count())

    def bounds(self) -> Bounds:
        return ("burst", self.size, MOST_STREAMS), ("seconds between bursts", self.every_s, _LONGEST_S)

    def __str__(self) -> str:
        return f"open loop, bursts of {self.size} every {self.every_s:g} s"


@dataclass(frozen=True, slots=True)
class Ramp:
    """A Poisson process whose rate goes from one to another in so many seconds, and stays there."""

    low: float
    high: float
    over_s: float

    def times(self, seed: int) -> Iterator[float]:
        return map(self._when, _unit(seed))

    def bounds(self) -> Bounds:
        return (
            ("the ramp's first rate", self.low, MOST_RATE),
            ("the ramp's last rate", self.high, MOST_RATE),
            ("the ramp's seconds", self.over_s, _LONGEST_S),
        )

    def _when(self, work: float) -> float:
        """Return when so many requests are expected to have come: the integral of the rate, the other way round."""
        steeper = (self.high - self.low) / self.over_s
        done = (self.low + self.high) / 2 * self.over_s
        if work >= done:
            return self.over_s + (work - done) / self.high
        return 2 * work / (self.low + math.sqrt(self.low**2 + 2 * steeper * work))

    def __str__(self) -> str:
        return f"open loop, from {self.low:g} to {self.high:g} a second over {self.over_s:g} s"


@dataclass(frozen=True, slots=True)
class Recorded:
    """As they once came."""

    seconds: tuple[float, ...]

    def times(self, seed: int) -> Iterator[float]:
        return iter(self.seconds)

    def bounds(self) -> Bounds:
        return (("recorded requests", len(self.seconds), math.inf),)

    def __str__(self) -> str:
        return f"open loop, {len(self.seconds)} requests as recorded, over {self.seconds[-1]:g} s"


Arrivals = Closed | Open


def _unit(seed: int) -> Iterator[float]:
    """Yield the times of a Poisson process of rate 1; the first is 0."""
    chance = random.Random(seed)
    return accumulate((chance.expovariate(1.0) for _ in count()), initial=0.0)
