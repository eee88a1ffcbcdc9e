"""How times were distributed, to three digits, in a few kilobytes however many there were. No I/O.

The idea is HdrHistogram's. Its package on PyPI is well kept, but would bring setuptools and pbr to every user of the
gateway, and takes four times as long to record; sparse buckets in a dict need no more than this.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

_LEAST_S: Final = 1e-6
_MOST_S: Final = 3600.0
_PER_E: Final = 1 / math.log(1.001)
"""Buckets for each factor of e: one is a thousandth wide."""
_SHOWN: Final = (50, 90, 99, 99.9)


class Histogram:
    """Times in seconds, from a microsecond to an hour; what is beyond counts as that, but in `max` and `mean`."""

    __slots__ = ("_buckets", "_most", "_sum", "count")

    def __init__(self, times: Iterable[float] = ()) -> None:
        self.count = 0
        self._most = 0.0
        self._sum = 0.0
        self._buckets: defaultdict[int, int] = defaultdict(int)
        for seconds in times:
            self.record(seconds)

    def record(self, seconds: float, count: int = 1) -> None:
        """Take a time that was measured so often."""
        self._buckets[round(math.log(min(max(seconds, _LEAST_S), _MOST_S)) * _PER_E)] += count
        self._sum += seconds * count
        self._most = max(self._most, seconds)
        self.count += count

    def add(self, other: Histogram) -> None:
        """Take all of another one's times."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] += count
        self._sum += other._sum
        self._most = max(self._most, other._most)
        self.count += other.count

    @property
    def mean(self) -> float:
        """Seconds; NaN where there were none."""
        return self._sum / self.count if self.count else math.nan

    @property
    def max(self) -> float:
        """Seconds; NaN where there were none."""
        return self._most if self.count else math.nan

    def at(self, percentile: float) -> float:
        """Return the nearest-rank percentile (0 to 100) in seconds; NaN where there is nothing to rank."""
        rank, seen = max(1, math.ceil(percentile / 100 * self.count)), 0
        if rank >= self.count:
            return self.max
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(math.exp(bucket / _PER_E), self.max)
        return self.max

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values: some percentiles to look at, and `buckets` with all that is known."""
        shown = {f"p{percentile}": self.at(percentile) for percentile in _SHOWN} if self.count else {}
        facts = {"count": self.count, "sum": self._sum, "max": self._most}
        return {**facts, **shown, "buckets": sorted(self._buckets.items())}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Histogram:
        """Return the histogram that as_json told."""
        made = cls()
        made.count, made._sum, made._most = told["count"], told["sum"], told["max"]
        made._buckets.update((bucket, count) for bucket, count in told["buckets"])
        return made
