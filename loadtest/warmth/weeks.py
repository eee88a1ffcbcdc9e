"""When people come, over weeks: recorded, or drawn from a stated town. No I/O."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from loadtest.plan import PlanError

MOST_WEEKS: Final = 104
_QUARTER_S: Final = 900.0
_MOST_ARRIVALS: Final = 1_000_000
_NUMBER: Final = re.compile(r"\d{1,10}(\.\d+)?")

Rate = Callable[[datetime, float], float]
"""How many people an hour come at a time of the local clock, in a week of that mood."""


@dataclass(frozen=True, slots=True)
class Town:
    """People who come as a Poisson process, at a rate that their clock and the week's mood set.

    `fixed` are the windows that somebody would write down who knows the town, and `moods` what a week's is drawn from.
    """

    name: str
    fixed: tuple[str, ...]
    rate: Rate
    moods: tuple[float, ...] = (1.0,)

    def arrivals(self, begin: float, end: float, zone: ZoneInfo, seed: int) -> list[float]:
        """When somebody comes between two moments (all in unix seconds); the same for the same seed."""
        return list(self._drawn(begin, end, zone, random.Random(f"{self.name}/{seed}")))

    def _drawn(self, begin: float, end: float, zone: ZoneInfo, chance: random.Random) -> Iterator[float]:
        week, mood, start = None, 1.0, begin
        while start < end:
            clock = datetime.fromtimestamp(start, zone)
            if week != (week := clock.isocalendar().week):
                mood = chance.choice(self.moods)
            rate, at = self.rate(clock, mood) / 3600, start
            while rate and (at := at + chance.expovariate(rate)) < start + _QUARTER_S:
                yield at
            start += _QUARTER_S


def _office(clock: datetime, _: float) -> float:
    if clock.weekday() >= 5 or not 8 <= clock.hour < 18:
        return 0.05
    return {8: 4.0, 12: 6.0, 17: 5.0}.get(clock.hour, 15.0)


def _evening(clock: datetime, _: float) -> float:
    late = clock.hour < 2 and clock.weekday() in (5, 6)
    return 8.0 if clock.hour >= 20 else 3.0 if clock.hour >= 18 or late else 0.1


def _weekend(clock: datetime, mood: float) -> float:
    if not 10 <= clock.hour < 22:
        return 0.02
    return 6.0 * mood if clock.weekday() >= 5 else 0.2


def _chance(_: datetime, __: float) -> float:
    return 0.4


TOWNS: Final = {
    town.name: town
    for town in (
        Town("office", ("Mon-Fri 08:00-18:00",), _office),
        Town("evening", ("daily 18:00-24:00",), _evening),
        Town("weekend", ("Sat-Sun 10:00-22:00",), _weekend, moods=(0.1, 1.0, 3.0)),
        Town("chance", ("daily 08:00-20:00",), _chance),
    )
}


def recorded(text: str) -> list[float]:
    """Moments (unix seconds) in order: the first cell of each line, a first line of words skipped. Raises PlanError."""
    cells = [line.split(",")[0].strip() for line in text.splitlines() if line.strip()]
    moments = [_moment(cell) for cell in (cells if cells and _NUMBER.match(cells[0]) else cells[1:])]
    if not 0 < len(moments) <= _MOST_ARRIVALS:
        raise PlanError(f"A record holds from 1 to {_MOST_ARRIVALS} arrivals, and this one {len(moments)}.")
    return sorted(moments)


def monday(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())


def midnight(day: date, zone: ZoneInfo) -> float:
    """When a day begins (unix seconds)."""
    return datetime.combine(day, time(), zone).timestamp()


def _moment(cell: str) -> float:
    if not _NUMBER.fullmatch(cell):
        raise PlanError(f"A record has a moment on each line, as 1795300000.5 in unix seconds, and not {cell!r}.")
    return float(cell)
