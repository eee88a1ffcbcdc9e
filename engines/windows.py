"""Windows of a week and dates, as people write them. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final, NamedTuple

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES: Final = 24 * 60
_MOST_DATES: Final = 366

_DAYS: Final = r"[a-z]{3}(?:-[a-z]{3})?"
_WINDOW: Final = re.compile(rf"(daily|{_DAYS}(?:,{_DAYS})*)\s+(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")


class Window(NamedTuple):
    """From one minute of the day to another, on these days of the week (Monday is 0).

    `end` is counted from the beginning of the same day: past `DAY_MINUTES` where the window goes over midnight.
    """

    days: frozenset[int]
    begin: int
    end: int

    @classmethod
    def parse(cls, written: str) -> Window:
        """Read `Mon-Fri 08:00-20:00`, `Mon,Wed 10:00-14:00`, `daily 22:00-02:00`. Raises ValueError."""
        match = _WINDOW.fullmatch(written.strip().lower())
        if match is None:
            raise ValueError(
                f"{written!r} is no window; one reads Mon-Fri 08:00-20:00, Sat 10:00-14:00 or daily 22:00-02:00."
            )
        days, *clock = match.groups()
        begin_hour, begin_minute, end_hour, end_minute = map(int, clock)
        begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
        if begin_minute > 59 or end_minute > 59 or begin >= DAY_MINUTES or end > DAY_MINUTES:
            raise ValueError(
                f"{written!r} has a time that no clock shows; they go from 00:00 to 23:59, and 24:00 ends a day."
            )
        if begin == end:
            raise ValueError(f"{written!r} ends when it begins; a whole day is 00:00-24:00.")
        return cls(_days(days, written), begin, end if begin < end else end + DAY_MINUTES)

    def __str__(self) -> str:
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{_named(self.days)} {_clock(self.begin)}-{_clock(end)}"


def dates(written: str) -> list[date]:
    """Read `2026-12-24` or `2026-12-24..2027-01-02`. Raises ValueError."""
    first, dots, last = written.partition("..")
    try:
        begin, end = date.fromisoformat(first.strip()), date.fromisoformat((last if dots else first).strip())
    except ValueError:
        raise ValueError(f"{written!r} is no date; one reads 2026-12-24, and several 2026-12-24..2027-01-02.") from None
    if not 0 <= (end - begin).days < _MOST_DATES:
        raise ValueError(f"{written!r} must end after it begins, and within a year.")
    return [begin + timedelta(days=ahead) for ahead in range((end - begin).days + 1)]


def _days(written: str, window: str) -> frozenset[int]:
    if written == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in written.split(","):
        ends = [name.capitalize() for name in part.split("-")]
        if unknown := [name for name in ends if name not in DAYS]:
            raise ValueError(
                f"{window!r}: there is no day {unknown[0]}; they are {', '.join(DAYS)}, and daily for all."
            )
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.update((first + ahead) % 7 for ahead in range((last - first) % 7 + 1))
    return frozenset(days)


def _named(days: frozenset[int]) -> str:
    if len(days) == len(DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join("-".join(DAYS[day] for day in dict.fromkeys((run[0], run[-1]))) for run in runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
