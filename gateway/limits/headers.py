"""What a caller is told of limits, in OpenAI's words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gateway.errors import HearthError
from gateway.limits.base import Standing


def headers(standings: Sequence[Standing]) -> Mapping[str, str]:
    """`x-ratelimit-*` of the one that has the least left; none where nothing is limited."""
    if not standings:
        return {}
    tightest = min(standings, key=lambda standing: standing.remaining)
    unit = tightest.rate.unit
    return {
        f"x-ratelimit-limit-{unit}": str(tightest.rate.per_minute),
        f"x-ratelimit-remaining-{unit}": str(tightest.remaining),
        f"x-ratelimit-reset-{unit}": duration(tightest.reset_s),
    }


def refusal(standing: Standing, cost: int) -> HearthError:
    """What a caller is told whose request did not fit."""
    (kind, name), unit, per_minute = standing.rate
    whose = "This key's limit is" if kind == "key" else f"The limit of {name}, for all keys together, is"
    left = f"{standing.remaining} {unit if standing.remaining != 1 else unit[:-1]} left"
    wants = f", and this request may take {cost}" if unit == "tokens" else ""
    return HearthError(
        "rate_limited",
        f"{whose} {per_minute} {unit} per minute: {left}{wants}. Come back in {duration(standing.wait_s)}.",
        retry_after_s=standing.wait_s,
        headers=headers([standing]),
    )


def duration(seconds: float) -> str:
    """A time as OpenAI writes it, rounded up: `20ms`, `12s`, `6m0s`."""
    if seconds <= 0.999:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
