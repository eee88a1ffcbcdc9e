"""What a run costs: exact sums, in billionths (nanos) of whatever currency the prices are in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from gateway.events import Usage
from gateway.measure import Measure
from gateway.tables import ModelTable

NANO: Final = 10**9
MOST: Final = 2**53 - 1
"""The largest limit, some nine million: up to there every store counts exactly."""


class Prices(NamedTuple):
    """What one model costs, in nanos: for each second of compute and for each token."""

    second: Fraction = Fraction()
    input: Fraction = Fraction()
    cached: Fraction = Fraction()
    """For a token that the engine had in its prefix cache."""
    output: Fraction = Fraction()

    @classmethod
    def of(cls, table: ModelTable, hardware: Mapping[str, float]) -> Prices:
        """The prices of a model; the settings have seen to it that its hardware has one."""
        second = table.price_per_second
        if second is None and table.hardware is not None:
            second = hardware[table.hardware]
        cached = table.price_per_million_cached_input
        return cls(
            second=_nanos(second or 0.0),
            input=_nanos(table.price_per_million_input) / 10**6,
            cached=_nanos(table.price_per_million_input if cached is None else cached) / 10**6,
            output=_nanos(table.price_per_million_output) / 10**6,
        )

    def cost(self, usage: Usage, milliseconds: int) -> int:
        """What a run costs that used so much, in nanos; a fraction of one counts as one."""
        fresh = usage.prompt_tokens - usage.cached_tokens
        tokens = fresh * self.input + usage.cached_tokens * self.cached + usage.completion_tokens * self.output
        return math.ceil(tokens + milliseconds * self.second / 1000)

    def most(self, measure: Measure, milliseconds: int) -> int:
        """What a run costs at most that takes no longer than that."""
        tokens = measure.prompt_most * max(self.input, self.cached) + measure.output_most * self.output
        return math.ceil(tokens + milliseconds * self.second / 1000)


def nanos(amount: float) -> int:
    """An amount as it is written, such as 0.1, in nanos; never more than MOST."""
    return min(MOST, math.floor(_nanos(amount)))


def written(nanos: int) -> str:
    """Nanos as a decimal number, exactly: 1500000000 is 1.5."""
    whole, rest = divmod(abs(nanos), NANO)
    digits = f"{rest:09}".rstrip("0")
    return ("-" if nanos < 0 else "") + str(whole) + (f".{digits}" if digits else "")


def _nanos(amount: float) -> Fraction:
    # Of 0.1 the digits that were written count, and not the binary number that stands for them.
    return Fraction(repr(amount)) * NANO
