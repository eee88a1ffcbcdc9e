"""What a caller is told of its budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from gateway.errors import HearthError
from gateway.keys import Key
from gateway.measure import Measure
from gateway.money.base import Hold
from gateway.money.bill import SLICE_MS
from gateway.money.periods import moment, span
from gateway.money.prices import Prices, written

_KEYS: Final = 1_000
"""Keys of which it is known what they have left; past it those that heard of it least lately are forgotten."""


class Remaining:
    """What the books last said here of each key's budget, for calls that cost nothing and so do not ask them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Hold, int]] = OrderedDict()

    def note(self, hold: Hold, left: int) -> None:
        """The books answered so."""
        self._known[hold.key] = (hold, left)
        self._known.move_to_end(hold.key)
        if len(self._known) > _KEYS:
            self._known.popitem(last=False)

    def give_back(self, hold: Hold, cost: int) -> None:
        """What was held is so no longer, and that much of it was charged."""
        if hold.key in self._known:
            last, left = self._known[hold.key]
            if span(last.period, last.at) == span(hold.period, hold.at):
                self._known[hold.key] = (last, left + hold.amount - cost)

    def headers(self, key: Key, now: float) -> Mapping[str, str]:
        """What to tell it; nothing where nothing was said of its budget in this period."""
        if key.budget is None or key.id not in self._known:
            return {}
        hold, left = self._known[key.id]
        same = hold.period == key.budget.period and span(hold.period, hold.at) == span(hold.period, now)
        return budget_headers(hold, left) if same else {}


def budget_headers(hold: Hold, left: int) -> dict[str, str]:
    """What is left of the budget (in the currency of the prices), and until when."""
    end = moment(span(hold.period, hold.at).end)
    headers = {"x-budget-remaining": written(max(0, left))}
    return headers if end is None else headers | {"x-budget-reset": end}


def refusal(hold: Hold, left: int, prices: Prices, bounds: Measure, choices: int) -> HearthError:
    """A run that may cost more than is left: how much that is, until when, and what would fit."""
    end, left = moment(span(hold.period, hold.at).end), max(0, left)
    fits = _fits(left, prices, bounds, choices)
    until = f" until {end}" if end else ""
    hint = f" A max_tokens of {fits} would fit." if fits else ""
    return HearthError(
        "budget_exceeded",
        f"This key has {written(left)} left of {written(hold.limit)}{until}; "
        f"this may cost {written(hold.amount)}.{hint}",
        parameter="max_tokens" if fits else None,
        headers=budget_headers(hold, left),
        remaining=written(left),
        limit=written(hold.limit),
        resets_at=end,
        max_tokens=fits,
    )


def _fits(left: int, prices: Prices, bounds: Measure, choices: int) -> int | None:
    """The largest max_tokens with which it would not be refused; None where no size helps."""
    if not prices.output:
        return None
    most = (left - prices.most(bounds._replace(output_most=0), SLICE_MS)) / prices.output // choices
    return int(most) if most >= 1 else None
