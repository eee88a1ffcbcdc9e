"""When what arrived at one reader, and what two trails say of each other. No I/O; times are seconds of one clock."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence


class Trail:
    """How far a reader was, read by read."""

    def __init__(self) -> None:
        self.offsets: array[int] = array("q")
        self.times: array[float] = array("d")

    def note(self, offset: int, now: float) -> None:
        """From now on it has everything up to that offset."""
        self.offsets.append(offset)
        self.times.append(now)

    @property
    def offset(self) -> int:
        """The last one; -1 before the first."""
        return self.offsets[-1] if self.offsets else -1

    def arrival(self, offset: int) -> float:
        """When that one was there; NaN if it never was."""
        index = bisect_left(self.offsets, offset)
        return self.times[index] if index < len(self.times) else math.nan

    def between(self, begin: float, end: float) -> range:
        """The offsets that arrived in that time."""
        first, last = bisect_left(self.times, begin), bisect_left(self.times, end)
        if first == last:
            return range(0)
        return range(self.offsets[first - 1] + 1 if first else self.offsets[0], self.offsets[last - 1] + 1)

    def reads(self, begin: float, end: float) -> int:
        """How many reads brought something in that time."""
        return bisect_left(self.times, end) - bisect_left(self.times, begin)


def delays(here: Trail, there: Trail, begin: float, end: float) -> Iterator[float]:
    """How much later than here each event arrived there, of those that arrived here in that time.

    NaN for one that never did.
    """
    return (there.arrival(offset) - here.arrival(offset) for offset in here.between(begin, end))


class Newest:
    """What the foremost of several readers of one log had, at any time."""

    def __init__(self, trails: Iterable[Trail]) -> None:
        self._times: list[float] = []
        self._offsets: list[int] = []
        for time, offset in sorted(pair for trail in trails for pair in zip(trail.times, trail.offsets, strict=True)):
            if not self._offsets or offset > self._offsets[-1]:
                self._times.append(time)
                self._offsets.append(offset)

    def at(self, time: float) -> int:
        """The newest offset that any of them had then; -1 before the first."""
        # An arrival at this very moment counts.
        index = bisect_left(self._times, math.nextafter(time, math.inf))
        return self._offsets[index - 1] if index else -1


def caught_up(trail: Trail, heads: Sequence[float], asked: float, newest: Newest) -> float:
    """When a reader that came back at `asked` first had what the foremost reader had; NaN if it never did.

    `heads` are the moments at which a server began to answer it: one that missed nothing has caught up by then.
    """
    began = next((head for head in heads if head >= asked), math.inf)
    held = bisect_left(trail.times, began)
    moments = [(began, trail.offsets[held - 1] if held else -1)] if math.isfinite(began) else []
    moments += zip(trail.times[held:], trail.offsets[held:], strict=True)
    return next((time for time, offset in moments if offset >= newest.at(time)), math.nan)


def silence(trail: Trail, since: float) -> float:
    """How long nothing new came to a reader that was cut off at `since`; NaN if nothing came any more."""
    index = bisect_left(trail.times, since)
    if not 0 < index < len(trail.times):
        return math.nan
    return trail.times[index] - trail.times[index - 1]
