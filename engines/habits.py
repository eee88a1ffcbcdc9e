"""Learned hours: when a model is to be warm, from when people came. Pure.

The method, on whole days up to the last midnight of the place, eight weeks at most:

1. **Smoothed.** Who came in a quarter of an hour by the clock of the place might have come earlier or later: each
   counts over an hour on either side, most where it was.
2. **Rates.** How many come in each quarter of each weekday: the mean over the days seen, where a day counts half as
   much as one that is two weeks younger.
3. **Weekdays apart as far as they are known.** A weekday's rate is drawn towards that of its kind (Monday to Friday, or
   the weekend), and its kind's towards that of all days: as if a tenth of a person more had been seen, and the time
   that takes there. So one arrival makes no habit where nobody else ever comes, and a busy weekday is all its own.
4. **Chosen** day by day, those quarters first in which most are expected, as long as `WORTH` of a person or more is,
   and as long as ceiling and budget allow. A day pays for its quarters and for the boots ahead of its windows, or for
   the time between two windows where that is shorter than a boot. What the floor wants is chosen in any case.

With less than a week or twenty arrivals all days are one, and the floor is all that is chosen.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from operator import mul
from typing import Final
from zoneinfo import ZoneInfo

from engines.hours import ActiveHours, Change, Hours
from engines.windows import DAY_MINUTES, Window

QUARTER_S: Final = 900
WORTH: Final = 0.1
"""A quarter of an hour in which fewer are expected, one in two and a half hours, is not worth its warmth."""
_QUARTERS: Final = 96
_MINUTES: Final = DAY_MINUTES // _QUARTERS
_MOST_DAYS: Final = 56
_HALF_LIFE_DAYS: Final = 14
_PRIOR: Final = 0.1
_KERNEL: Final = (1, 2, 3, 4, 5, 4, 3, 2, 1)
_LEAST_DAYS: Final = 7
_LEAST_ARRIVALS: Final = 20
_READABLE: Final = 12
_EARLY_AFTERNOON: Final = 52
"""Of quarters in which equally many are expected those near 13:00 come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long a day of 24 hours is warm, and what it may cost with boots. Raises ValueError for what cannot be."""

    floor_hours: float = 0.0
    ceiling_hours: float = 24.0
    budget_per_day: float = math.inf
    cost_per_hour: float = 0.0
    boot_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.floor_hours <= self.ceiling_hours <= 24:
            raise ValueError(
                f"A floor of {self.floor_hours:g} hours a day and a ceiling of {self.ceiling_hours:g} are no bounds:"
                " 0 <= floor <= ceiling <= 24."
            )
        if not self.budget_per_day >= 0:
            raise ValueError(f"A budget of {self.budget_per_day:g} a day is none: it is 0 or more.")
        if (least := self.floor_hours * self.cost_per_hour) > self.budget_per_day:
            raise ValueError(
                f"A floor of {self.floor_hours:g} hours a day costs {least:g}, more than the budget of"
                f" {self.budget_per_day:g}: lower the floor or raise the budget."
            )

    @property
    def most_s(self) -> float:
        """Seconds of a day that may be paid for."""
        affordable = self.budget_per_day / self.cost_per_hour if self.cost_per_hour else math.inf
        return min(self.ceiling_hours, affordable) * 3600


@dataclass(frozen=True, slots=True)
class Habits(Hours):
    """Hours that were learned."""

    hours: ActiveHours
    learned: str

    @property
    def why(self) -> str:
        """The windows, or how many where those are too many to read, and from what they were learned, in words."""
        windows = self.hours.windows
        week_h = sum(len(days) * (end - begin) for days, begin, end in windows) / 60
        many = f"{len(windows)} windows, {week_h:g} hours a week ({self.hours.zone.key})"
        return f"{self.hours.why if len(windows) <= _READABLE else many}: {self.learned}"

    def at(self, now: float) -> bool:
        """Whether they are open at a moment (unix seconds)."""
        return self.hours.at(now)

    def next_change(self, now: float) -> Change | None:
        """What comes after a moment (unix seconds); None where nothing changes for a year."""
        return self.hours.next_change(now)


def learn(
    arrivals: Mapping[int, int], zone: ZoneInfo, now: float, bounds: Bounds, left_out: frozenset[date] = frozenset()
) -> Habits:
    """The hours to keep from a moment on (unix seconds). They are the same until the next midnight of the place.

    `arrivals` counts people by the beginning of their quarter of an hour (unix seconds); they were counted since the
    first of them, where a 0 may stand. Dates left out teach nothing and have no hours.
    """
    today = datetime.fromtimestamp(now, zone).date()
    days = _days(arrivals, zone, today, left_out)
    seen = sum(map(sum, days.values()))
    known = f"{seen} arrivals in {len(days)} days"
    smooth = {day: _smoothed(counts) for day, counts in days.items()}
    if enough := len(days) >= _LEAST_DAYS and seen >= _LEAST_ARRIVALS:
        week, most_s = _week(smooth, today), bounds.most_s
    else:
        week, most_s = [_rates(smooth, today)] * 7, 0.0
    chosen = [_chosen(day, bounds, most_s) for day in week]
    if enough:
        within = sum(day[quarter] for day, quarters in zip(week, chosen, strict=True) for quarter in quarters)
        said = f"learned from {known}; {within / sum(map(sum, week)):.0%} of such weeks' arrivals fall within"
    else:
        said = f"{known} are too few to learn from, so the floor of {bounds.floor_hours:g} hours a day"
    return Habits(ActiveHours(tuple(_windows(chosen)), zone, left_out), said)


def _days(
    arrivals: Mapping[int, int], zone: ZoneInfo, today: date, left_out: Collection[date]
) -> dict[date, list[int]]:
    """How many came in each quarter of each whole day that is learned from."""
    if not arrivals:
        return {}
    began = (today - datetime.fromtimestamp(min(arrivals), zone).date()).days
    known = (today - timedelta(days=ago) for ago in range(min(began, _MOST_DAYS), 0, -1))
    days = {day: [0] * _QUARTERS for day in known if day not in left_out}
    for start, count in arrivals.items():
        clock = datetime.fromtimestamp(start, zone)
        if quarters := days.get(clock.date()):
            quarters[(clock.hour * 60 + clock.minute) // _MINUTES] += count
    return days


def _smoothed(counts: Sequence[int]) -> list[float]:
    """A day's counts, each spread over its neighbours; the last quarter is the first one's."""
    reach = len(_KERNEL) // 2
    return [
        sum(share * counts[(at + ahead) % _QUARTERS] for ahead, share in enumerate(_KERNEL, -reach)) / sum(_KERNEL)
        for at in range(_QUARTERS)
    ]


def _week(days: Mapping[date, Sequence[float]], today: date) -> list[list[float]]:
    """How many come in each quarter of Monday, Tuesday and so on."""
    every = _rates(days, today)
    week = []
    for weekday in range(7):
        kind = {day: counts for day, counts in days.items() if (day.weekday() < 5) == (weekday < 5)}
        own = {day: counts for day, counts in kind.items() if day.weekday() == weekday}
        week.append(_rates(own, today, towards=_rates(kind, today, towards=every)))
    return week


def _rates(days: Mapping[date, Sequence[float]], today: date, towards: Sequence[float] | None = None) -> list[float]:
    """How many come in each quarter of such a day, newer days counting more; drawn towards other rates if wanted.

    With a prior that is the mean of a Poisson rate's posterior: Gamma, of shape `_PRIOR` and with that mean.
    """
    weights = [0.5 ** ((today - day).days / _HALF_LIFE_DAYS) for day in days]
    people = [sum(map(mul, weights, quarter)) for quarter in zip(*days.values(), strict=True)] or [0.0] * _QUARTERS
    time = sum(weights)
    if towards is None:
        return [came / time if came else 0.0 for came in people]
    return [
        (came + _PRIOR) / (time + _PRIOR / rate) if rate else 0.0 for came, rate in zip(people, towards, strict=True)
    ]


def _chosen(rates: Sequence[float], bounds: Bounds, most_s: float) -> set[int]:
    """The quarters of a day that are warm."""
    chosen: set[int] = set()
    for quarter in sorted(range(_QUARTERS), key=lambda at: (-rates[at], abs(at - _EARLY_AFTERNOON))):
        wanted = len(chosen) * QUARTER_S < bounds.floor_hours * 3600
        if wanted or (rates[quarter] >= WORTH and _paid_s(chosen | {quarter}, bounds.boot_s) <= most_s):
            chosen.add(quarter)
    return chosen


def _paid_s(chosen: Iterable[int], boot_s: float) -> float:
    """What a day with these quarters pays for: them, and ahead of each window a boot or the time since the last one."""
    closed = ((later - earlier - 1) * QUARTER_S for earlier, later in pairwise([-math.inf, *sorted(chosen)]))
    ahead = [min(gap, boot_s) for gap in closed]
    return len(ahead) * QUARTER_S + sum(ahead)


def _windows(chosen: Iterable[Collection[int]]) -> Iterator[Window]:
    """The chosen quarters of Monday to Sunday as windows, those of several days together."""
    days = defaultdict(set)
    for weekday, quarters in enumerate(chosen):
        begins = [at for at in sorted(quarters) if at - 1 not in quarters]
        ends = [at + 1 for at in sorted(quarters) if at + 1 not in quarters]
        for span in zip(begins, ends, strict=True):
            days[span].add(weekday)
    for (begin, end), weekdays in sorted(days.items()):
        yield Window(frozenset(weekdays), begin * _MINUTES, end * _MINUTES)
