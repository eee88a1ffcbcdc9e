"""Whether a max_tokens suits the answers that come: pure figures, in coarse buckets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from gateway.money.base import Cap

ENOUGH: Final = 20
"""Runs before anything is said."""
FAR: Final = 8
"""A cap that is so many times what nearly all answers use is too large."""
UNCAPPED: Final = -1
"""The bucket of runs that named no max_tokens."""
_STEPS: Final = 4
"""Buckets from a number to its double."""


def bucket(tokens: int) -> int:
    """The number of the bucket that such a count falls in."""
    return max(0, math.ceil(_STEPS * math.log2(max(1, tokens)) - 1e-9))


def top(bucket: int) -> int:
    """The largest count in a bucket."""
    return math.floor(2 ** (bucket / _STEPS) + 1e-9)


def percentile(caps: Mapping[Cap, int], share: float) -> int:
    """So many tokens suffice for that share of the answers."""
    wanted, seen = share * sum(caps.values()), 0
    for used in sorted({cap.used for cap in caps}):
        seen += sum(runs for cap, runs in caps.items() if cap.used == used)
        if seen >= wanted:
            return top(used)
    return 0


def cut(caps: Mapping[Cap, int]) -> float:
    """The share of answers that their cap ended."""
    runs = sum(caps.values())
    return sum(runs for cap, runs in caps.items() if cap.by_length) / runs if runs else 0.0


def advice(caps: Mapping[Cap, int], asked: int) -> str | None:
    """What to say about a cap to who asks with it, by how a key's runs of that model went; None: it suits.

    Too low: it ends most answers. Too high: it is more than FAR times what 99 of 100 answers use.
    """
    alike = {cap: runs for cap, runs in caps.items() if cap.asked == bucket(asked)}
    if sum(alike.values()) >= ENOUGH and cut(alike) > 0.5:
        return f"cap {asked}, ends {round(100 * cut(alike))}% of answers"
    if sum(caps.values()) >= ENOUGH and asked > FAR * (used := percentile(caps, 0.99)):
        return f"cap {asked}, p99 used {used}"
    return None
