"""When a model is to be warm: windows of the week, by the clock of a place. Pure.

A window belongs to the day on which it begins, and so does a date that is left out. Where a place turns its clock, a
window opens the first time that its beginning is shown and closes the last time that its end is; a time that the clock
skips counts as the moment of the skip. So a window over such a night is an hour shorter or longer than its name, and
one that lies within the skipped hour is not there that day.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from engines.windows import Window, dates

_ONE_DAY: Final = timedelta(days=1)
_LONGEST_SILENCE: Final = timedelta(days=15)
"""A window that comes once a week is skipped by a clock once at most."""
_FARTHEST: Final = timedelta(days=400)


class Change(NamedTuple):
    """A moment (unix seconds) at which the hours open or close."""

    at: float
    kind: Literal["opens", "closes"]


class Hours(Protocol):
    """When a model is to be warm. Cheap enough to be asked every second."""

    @property
    def why(self) -> str:
        """Which hours these are, and where they come from, in words."""

    def at(self, now: float) -> bool:
        """Whether they are open at a moment (unix seconds)."""

    def next_change(self, now: float) -> Change | None:
        """What comes after a moment (unix seconds); None where nothing changes for a year."""

    def opens_within(self, now: float, seconds: float) -> bool:
        """Whether they are closed and open in so many seconds at most: then a boot that takes those has to begin."""
        if self.at(now):
            return False
        change = self.next_change(now)
        return change is not None and change.at - now <= seconds


@dataclass(frozen=True, slots=True)
class ActiveHours(Hours):
    """Windows that come again each week, by the clock of a zone, on all dates but those left out."""

    windows: tuple[Window, ...]
    zone: ZoneInfo
    left_out: frozenset[date] = frozenset()

    @classmethod
    def parse(cls, windows: Sequence[str], zone: str, left_out: Sequence[str] = ()) -> ActiveHours:
        """Read them as people write them; dates as `2026-12-24` or `2026-12-24..2027-01-02`. Raises ValueError."""
        out = frozenset(day for written in left_out for day in dates(written))
        return cls(tuple(map(Window.parse, windows)), zone_named(zone), out)

    @property
    def why(self) -> str:
        """The windows and the zone, in words."""
        windows = ", ".join(map(str, self.windows)) or "never"
        return f"{windows} ({self.zone.key})" + (f" but for {len(self.left_out)} dates" if self.left_out else "")

    def at(self, now: float) -> bool:
        """Whether a window is open at a moment (unix seconds)."""
        today = self._today(now)
        return any(begin <= now < end for day in (today - _ONE_DAY, today) for begin, end in self._spans(day))

    def next_change(self, now: float) -> Change | None:
        """What comes after a moment (unix seconds); None where nothing changes for a year."""
        for begin, end in self._stretches(now):
            if now < begin:
                return Change(begin, "opens")
            if now < end:
                return None if end == math.inf else Change(end, "closes")
        return None

    def _stretches(self, now: float) -> Iterator[tuple[float, float]]:
        """From yesterday's windows on, those that meet as one; what lasts as far as is looked has no end."""
        day = self._today(now) - _ONE_DAY
        last = min(max([day, *self.left_out]), day + _FARTHEST) + _LONGEST_SILENCE
        begin = end = -math.inf
        while day <= last:
            for opens, closes in self._spans(day):
                if opens > end:
                    yield begin, end
                    begin = opens
                end = max(end, closes)
            day += _ONE_DAY
        yield begin, end if end < _moment(day, 0, self.zone, fold=0) else math.inf

    def _spans(self, day: date) -> list[tuple[float, float]]:
        """When the windows that begin on a day open and close (unix seconds), in order."""
        if day in self.left_out:
            return []
        weekday, zone = day.weekday(), self.zone
        return sorted(
            (opens, closes)
            for days, begin, end in self.windows
            if weekday in days
            and (opens := _moment(day, begin, zone, fold=0)) < (closes := _moment(day, end, zone, fold=1))
        )

    def _today(self, now: float) -> date:
        return datetime.fromtimestamp(now, self.zone).date()


class Always(Hours):
    """Every hour of every day."""

    @property
    def why(self) -> str:
        return "always"

    def at(self, now: float) -> bool:
        return True

    def next_change(self, now: float) -> Change | None:
        return None


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; one reads Europe/Berlin, America/New_York or UTC.") from None


def _moment(day: date, minute: int, zone: ZoneInfo, *, fold: Literal[0, 1]) -> float:
    """When a clock shows a minute of a day (unix seconds): the first time or, with `fold`, the last."""
    shown = datetime.combine(day, time(), zone) + timedelta(minutes=minute)
    first, last = shown.timestamp(), shown.replace(fold=1).timestamp()
    if first <= last:
        return last if fold else first
    # The clock skips it, somewhere between what it would be by the old offset and by the new one.
    moments = range(int(last), int(first) + 1)

    def offset(moment: int) -> timedelta:
        return datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()

    return moments[bisect_right(moments, offset(moments[0]), key=offset)]
