"""Plans whose hours are learned: renewed from the traffic of past weeks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from engines.board import Away
from engines.habits import Bounds, learn
from engines.history import ARRIVALS_KEPT_S, QUARTER_S, History
from engines.keeper import Plan

_EVERY_S: Final = 900.0

_log = logging.getLogger(__name__)


class Wish(NamedTuple):
    """By whose clock, on which dates and within which bounds a model's hours are learned."""

    zone: ZoneInfo
    left_out: frozenset[date]
    bounds: Bounds


class Learner:
    """Puts learned hours into `plans`. `wall` gives unix seconds, `boot_s` how long a model's boots take."""

    def __init__(
        self,
        plans: dict[str, Plan],
        wishes: Mapping[str, Wish],
        history: History,
        wall: Callable[[], float],
        boot_s: Callable[[str], float | None],
    ) -> None:
        self._plans = plans
        self._wishes = wishes
        self._history = history
        self._wall = wall
        self._boot_s = boot_s
        self._next_at = 0.0

    async def renew(self) -> None:
        """Learn again, if that was a while ago. What cannot be asked just now stays as it was."""
        now = self._wall()
        # A clock that was set back must not keep anything from being learned.
        if not self._wishes or self._next_at - _EVERY_S <= now < self._next_at:
            return
        self._next_at = now + _EVERY_S
        for model, wish in self._wishes.items():
            try:
                arrivals = await self._history.arrivals(model, now - ARRIVALS_KEPT_S)
                if not arrivals:
                    # Counting begins here: days without anybody are known too.
                    await self._history.came({(model, int(now // QUARTER_S) * QUARTER_S): 0})
            except Away as away:
                _log.warning("hours of %s are not learned: %s", model, away)
                continue
            bounds = replace(wish.bounds, boot_s=self._boot_s(model) or 0.0)
            hours = learn(arrivals, wish.zone, now, bounds, wish.left_out)
            self._plans[model] = self._plans[model]._replace(hours=hours)
