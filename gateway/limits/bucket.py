"""The arithmetic of a token bucket: a minute's worth may go at once, and flows back evenly."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from gateway.limits.base import Rate, Standing

_MINUTE_S: Final = 60.0
DEBT_MINUTES: Final = 360
"""What flows back in so long is the most that may be used of a bucket, so no mistake shuts anybody out for ever."""
_DUST: Final = 1e-6
"""What sums of fractions may be off by."""


class Bucket(NamedTuple):
    """How much was used of it, at that moment (steady seconds). More than `per_minute` is a debt."""

    per_minute: int
    used: float
    at: float

    def used_by(self, now: float) -> float:
        """How much is still used at a later moment."""
        return max(0.0, self.used - (now - self.at) * self.per_minute / _MINUTE_S)


def taken(per_minute: int, used: float, cost: int) -> float:
    """How much is used when so much more was taken."""
    most = per_minute * DEBT_MINUTES
    return min(most, used + min(cost, most))


def settled(per_minute: int, used: float, cost: int, spent: int) -> float:
    """How much is used when it turns out what was spent of a cost that was taken before."""
    most = per_minute * DEBT_MINUTES
    return min(most, max(0.0, used - min(cost, most) + spent))


def wait(rate: Rate, used: float, cost: int) -> float:
    """Seconds until the cost fits; 0 when it does.

    A cost larger than the bucket fits when that is full: else such a request could never be made, though most use
    less than they ask for. It leaves a debt, so in the long run no more flows than the rate allows.
    """
    lacks = used + min(cost, rate.per_minute) - rate.per_minute
    return lacks * _MINUTE_S / rate.per_minute if lacks > _DUST else 0.0


def standing(rate: Rate, used: float, wait_s: float = 0.0) -> Standing:
    """What is told of a bucket of which so much is used."""
    remaining = max(0, math.floor(rate.per_minute - used + _DUST))
    return Standing(rate, remaining, used * _MINUTE_S / rate.per_minute, wait_s)
