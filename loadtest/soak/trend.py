"""Whether something grows: a line through the second half of a run. No I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from operator import mul
from typing import Final, NamedTuple

_HOUR_S: Final = 3600.0
_SURE: Final = 2.0
"""How many standard errors a slope has to lie beyond its bound."""
_LEAST_S: Final = 1800.0
"""A run that is shorter says nothing of an hour: memory comes in steps, and one would be taken for growth."""
_LEAST: Final = 8
"""Samples in a half."""


class Bound(NamedTuple):
    """How much something may grow in an hour, and what the server means to remember of each run and prediction."""

    name: str
    per_hour: float
    per_run: float = 0.0
    per_prediction: float = 0.0

    def meant(self, runs: Sequence[float], predictions: Sequence[float]) -> list[float]:
        """What is remembered of so many runs and predictions."""
        counts = zip(runs, predictions, strict=True)
        return [self.per_run * run + self.per_prediction * prediction for run, prediction in counts]


class Slope(NamedTuple):
    """Growth in an hour, and its standard error."""

    per_hour: float
    error: float


class Trend(NamedTuple):
    """One series over the second half."""

    bound: Bound
    level: float
    """Its mean."""
    slope: Slope
    """Without what is remembered."""
    remembered: float
    """What of its growth in an hour is meant."""

    @property
    def verdict(self) -> str:
        """`grows` where that is certain; `unsure` where the run was too short or too noisy for this bound."""
        doubt = _SURE * self.slope.error
        if self.slope.per_hour - doubt > self.bound.per_hour:
            return "grows"
        return "unsure" if self.slope.per_hour + doubt > self.bound.per_hour else "steady"


def slope(times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """The line of least squares; what is too short for one may slope in any way.

    Samples that follow each other are alike, as visits last from one to the next: the error allows for that.
    """
    if len(times_s) < _LEAST or 2 * (times_s[-1] - times_s[0]) < _LEAST_S:
        return Slope(0.0, math.inf)
    hours = [time / _HOUR_S for time in times_s]
    fit = statistics.linear_regression(hours, values)
    rest = [value - fit.intercept - fit.slope * hour for hour, value in zip(hours, values, strict=True)]
    square = sum(each * each for each in rest)
    alike = min(0.95, max(0.0, sum(map(mul, rest, rest[1:])) / square)) if square else 0.0
    middle = statistics.fmean(hours)
    spread = sum((hour - middle) ** 2 for hour in hours)
    error = math.sqrt(square / (len(hours) - 2) / spread)
    return Slope(fit.slope, error * math.sqrt((1 + alike) / (1 - alike)))


def trend(bound: Bound, times_s: Sequence[float], values: Sequence[float], meant: Sequence[float]) -> Trend:
    """Judge one series by its second half; `meant` is how much of each value is remembered."""
    half = len(times_s) // 2
    times, kept, known = times_s[half:], values[half:], meant[half:]
    found = slope(times, [value - less for value, less in zip(kept, known, strict=True)])
    return Trend(bound, statistics.fmean(kept), found, slope(times, known).per_hour)
