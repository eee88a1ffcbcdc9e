"""What one engine does with people who come and with hours to keep, without an engine. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge

from loadtest.report import percentile

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What people waited for (seconds each), how long the engine was paid for, and how often it was booted."""

    waits: list[float]
    paid_s: float
    boots: int

    @property
    def cold(self) -> int:
        """People who met an engine that was cold or booting."""
        return sum(wait > 0 for wait in self.waits)

    @property
    def share(self) -> float:
        """Their share of all."""
        return self.cold / len(self.waits) if self.waits else 0.0

    def wait(self, part: float) -> float:
        """A percentile of everybody's wait (seconds), nothing for those who met a warm one."""
        return percentile(self.waits, part)


def simulate(arrivals: Iterable[float], spans: Iterable[Span], end: float, boot_s: float, idle_s: float) -> Outcome:
    """Keep the engine warm within the spans, and boots ahead of them; else let it go cold `idle_s` after the last call.

    Whoever comes when it is cold has it booted, and waits; so does whoever comes while it boots. It is paid for from
    the beginning of a boot until it is cold, or until `end`. Arrivals and spans (unix seconds) are in order.
    """
    waits: list[float] = []
    paid, boots, on, warm, off = 0.0, 0, math.inf, math.inf, -math.inf
    people = ((at, None) for at in arrivals)
    windows = ((opens - boot_s, closes) for opens, closes in spans)
    for at, closes in merge(people, windows, key=lambda event: event[0]):
        if at >= off:
            paid += off - on if boots else 0.0
            boots, on, warm = boots + 1, at, at + boot_s
        if closes is None:
            waits.append(max(0.0, warm - at))
            off = max(off, max(at, warm) + idle_s)
        else:
            off = max(off, closes)
    return Outcome(waits, paid + (min(off, end) - on if boots else 0.0), boots)
