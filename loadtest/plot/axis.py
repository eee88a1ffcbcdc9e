"""The sides of a plot: which values they span, how those are spread, and which are labelled. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_INTERVALS: Final = 5
_MOST_LABELS: Final = 9
PERCENTS: Final = (0.0, 50.0, 90.0, 99.0, 99.9)


Form = Callable[[float], str]
"""How a value is written."""


def number(value: float) -> str:
    """As short as it still says something: 0.25, 17.3, 1,250, 24k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.4g}k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, labelled at the ticks; `bend` makes equal steps of what shall look equally far."""

    label: str
    low: float
    high: float
    ticks: Sequence[float]
    form: Form = number
    bend: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """How far along a value is: 0 at the low end or below it, 1 at the high one or above it."""
        low, high, here = map(self.bend, (self.low, self.high, min(max(value, self.low), self.high)))
        return (here - low) / (high - low) if high > low else 0.5


def linear(label: str, values: Iterable[float], form: Form = number) -> Axis:
    """From zero to a round number above all values; one that is NaN does not count."""
    most = max((value for value in values if value > 0), default=1.0)
    step = _round(most / _INTERVALS)
    ticks = [place * step for place in range(math.ceil(most / step - 1e-9) + 1)]
    return Axis(label, 0.0, ticks[-1], ticks, form)


def fitting(label: str, values: Iterable[float], form: Form = number) -> Axis:
    """Linear; where a value is more than ten times another, from one to two is as far as from ten to twenty."""
    known = [value for value in values if value > 0] or [1.0]
    if max(known) <= 10 * min(known):
        return linear(label, known, form)
    low, high = _round(min(known), down=True), _round(max(known))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in _STEPS[:-1]]
    shown = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    if len(shown) > _MOST_LABELS:
        shown = [tick for tick in shown if math.log10(tick).is_integer()]
    return Axis(label, low, high, shown, form, math.log)


def steps(label: str, values: Iterable[float], form: Form = number) -> Axis:
    """A label at each of some values above zero, which grow by factors."""
    places = sorted(set(values)) or [1.0]
    return Axis(label, places[0], places[-1], places, form, math.log)


def percentiles(label: str) -> Axis:
    """From the least to one in a thousand; each nine has as much room as the one before it."""
    return Axis(
        label, 0.0, PERCENTS[-1], PERCENTS, lambda share: f"p{share:g}", lambda share: -math.log10(1 - share / 100)
    )


def _round(value: float, down: bool = False) -> float:
    """The round number next to a value above zero: above it, or below."""
    power = 10.0 ** math.floor(math.log10(value))
    if down:
        return power * max(step for step in _STEPS if step * power <= value * 1.001)
    return power * min(step for step in _STEPS if step * power >= value * 0.999)
