"""When hours open and close, by hand and by walking through every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engines.hours import ActiveHours, Change
from engines.windows import DAY_MINUTES, Window

# Days on which a clock was turned: by an hour ahead and back, at midnight, by half an hour, by a whole day.
TURNS = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 7, 1)),
]


def moment(written: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def stretches(hours: ActiveHours, begin: float, end: float) -> list[tuple[str, str]]:
    """When they open and close between two moments, as the UTC clock shows it."""
    told: list[tuple[str, str]] = []
    now = begin
    while (change := hours.next_change(now)) and change.at < end:
        told.append((change.kind, f"{datetime.fromtimestamp(change.at, UTC):%a %d %H:%M}"))
        now = change.at
    return told


def test_hours_open_and_close_by_the_clock_of_their_zone() -> None:
    hours = ActiveHours.parse(["Mon-Fri 08:00-20:00", "Sat 10:00-14:00"], "Europe/Berlin")
    assert stretches(hours, moment("2026-11-20"), moment("2026-11-24")) == [
        ("opens", "Fri 20 07:00"),
        ("closes", "Fri 20 19:00"),
        ("opens", "Sat 21 09:00"),
        ("closes", "Sat 21 13:00"),
        ("opens", "Mon 23 07:00"),
        ("closes", "Mon 23 19:00"),
    ]


def test_the_first_second_is_open_and_the_last_one_is_not() -> None:
    hours = ActiveHours.parse(["daily 08:00-09:00"], "UTC")
    told = [hours.at(moment("2026-11-20T08:00") + ahead) for ahead in (-0.001, 0, 3599.999, 3600)]
    assert told == [False, True, True, False]


def test_windows_that_meet_or_overlap_are_one() -> None:
    hours = ActiveHours.parse(["daily 22:00-02:00", "daily 02:00-03:00", "daily 23:00-01:00"], "UTC")
    assert stretches(hours, moment("2026-11-20T12:00"), moment("2026-11-21T12:00")) == [
        ("opens", "Fri 20 22:00"),
        ("closes", "Sat 21 03:00"),
    ]


def test_hours_that_never_change_say_so() -> None:
    always, never = ActiveHours.parse(["daily 00:00-24:00"], "Europe/Berlin"), ActiveHours.parse([], "UTC")
    now = moment("2026-10-20")
    assert always.next_change(now) is never.next_change(now) is None
    assert always.at(now) and not never.at(now)


def test_a_date_left_out_takes_the_windows_along_that_begin_on_it() -> None:
    hours = ActiveHours.parse(["daily 22:00-02:00"], "UTC", ["2026-12-24", "2026-12-26..2026-12-27"])
    assert stretches(hours, moment("2026-12-23T12:00"), moment("2026-12-29T12:00")) == [
        ("opens", "Wed 23 22:00"),
        ("closes", "Thu 24 02:00"),
        ("opens", "Fri 25 22:00"),
        ("closes", "Sat 26 02:00"),
        ("opens", "Mon 28 22:00"),
        ("closes", "Tue 29 02:00"),
    ]


def test_hours_that_open_for_good_say_when() -> None:
    hours = ActiveHours.parse(["daily 00:00-24:00"], "UTC", ["2026-12-24"])
    assert hours.next_change(moment("2026-12-24T12:00")) == Change(moment("2026-12-25"), "opens")
    assert hours.next_change(moment("2026-12-25")) is None


def test_dates_far_away_cost_nothing_and_end_nothing() -> None:
    hours = ActiveHours.parse(["daily 00:00-24:00"], "UTC", ["9999-12-31"])
    assert hours.next_change(moment("2026-11-20")) is None


@pytest.mark.parametrize(
    ("window", "day", "hours"),
    [
        ("daily 00:00-24:00", "2026-03-29", 23),
        ("daily 00:00-24:00", "2026-10-25", 25),
        ("daily 01:00-04:00", "2026-03-29", 2),  # the clock skips from 02:00 to 03:00
        ("daily 02:30-04:00", "2026-03-29", 1),  # opens with the skip
        ("daily 01:00-02:30", "2026-03-29", 1),  # closes with the skip
        ("daily 02:00-03:00", "2026-03-29", 0),  # is skipped
        ("daily 02:30-04:00", "2026-10-25", 2.5),  # opens the first time it is 02:30
        ("daily 01:00-02:30", "2026-10-25", 2.5),  # closes the last time it is 02:30
        ("daily 22:00-06:00", "2026-10-24", 9),
        ("daily 08:00-20:00", "2026-10-25", 12),
    ],
)
def test_where_the_clock_is_turned_a_window_lasts_as_long_as_it_is_shown(window: str, day: str, hours: float) -> None:
    only = Window.parse(window)._replace(days=frozenset({date.fromisoformat(day).weekday()}))
    told = ActiveHours((only,), ZoneInfo("Europe/Berlin"))
    begin = int(moment(day, "Europe/Berlin"))
    assert sum(told.at(minute) for minute in range(begin, begin + 2 * 86400, 60)) == hours * 60


def test_a_boot_begins_ahead_of_a_window_and_not_within_one() -> None:
    hours = ActiveHours.parse(["daily 08:00-09:00"], "UTC")
    opens = moment("2026-11-20T08:00")
    told = [hours.opens_within(opens + ahead, 90) for ahead in (-91, -90, -1, 0, 3599)]
    assert told == [False, True, True, False, False]


def test_a_zone_that_is_none_is_told_what_one_looks_like() -> None:
    for name in ("Berlin", "", "Europe", "../etc"):
        with pytest.raises(ValueError, match="Europe/Berlin"):
            ActiveHours.parse([], name)


def test_hours_say_which_they_are() -> None:
    hours = ActiveHours.parse(["mon-fri 8:00-20:00", "Sun 22:00-2:00"], "Europe/Berlin", ["2026-12-24..2026-12-26"])
    assert hours.why == "Mon-Fri 08:00-20:00, Sun 22:00-02:00 (Europe/Berlin) but for 3 dates"


windows = some.builds(
    lambda days, begin, length: Window(days, begin, begin + length),
    some.frozensets(some.integers(0, 6), min_size=1),
    # Most around midnight and in the small hours, where clocks are turned.
    some.one_of(some.integers(0, 4 * 60), some.integers(0, DAY_MINUTES - 1)),
    some.one_of(some.integers(1, 5 * 60), some.integers(1, DAY_MINUTES)),
)


@settings(max_examples=60, deadline=None)
@given(
    some.sampled_from(TURNS), some.lists(windows, min_size=1, max_size=3), some.sets(some.integers(-2, 2), max_size=2)
)
def test_every_minute_is_as_the_clock_shows_it(
    turn: tuple[str, date], windows: list[Window], left_out: set[int]
) -> None:
    zone, day = ZoneInfo(turn[0]), turn[1]
    hours = ActiveHours(tuple(windows), zone, frozenset(day + timedelta(days=ahead) for ahead in left_out))
    first = int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) // 60 - 4 * DAY_MINUTES
    shown = [
        datetime.fromtimestamp(minute * 60, zone).replace(tzinfo=None)
        for minute in range(first, first + 8 * DAY_MINUTES)
    ]
    expected = _walked(hours, shown)

    inner = range(2 * DAY_MINUTES, 6 * DAY_MINUTES)
    assert [hours.at((first + minute) * 60) for minute in inner] == [expected[minute] for minute in inner]
    now = (first + inner.start) * 60
    changes = [minute for minute in inner[1:] if expected[minute] != expected[minute - 1]]
    for minute in changes:
        assert hours.next_change(now) == Change((first + minute) * 60, "opens" if expected[minute] else "closes")
        now = (first + minute) * 60


def _walked(hours: ActiveHours, shown: list[datetime]) -> list[bool]:
    """Whether they are open in each minute, where the clock showed this in each."""
    is_open = [False] * len(shown)
    for day in sorted({clock.date() for clock in shown} - hours.left_out | _skipped(shown)):
        for window in hours.windows:
            if day.weekday() in window.days and day not in hours.left_out:
                midnight = datetime.combine(day, datetime.min.time())
                opens = _first(shown, midnight + timedelta(minutes=window.begin), last=False)
                closes = _first(shown, midnight + timedelta(minutes=window.end), last=True)
                is_open[opens:closes] = [True] * max(0, closes - opens)
    return is_open


def _skipped(shown: list[datetime]) -> set[date]:
    """Days between the first and the last that no clock showed."""
    first, days = shown[0].date(), (shown[-1] - shown[0]).days
    return {first + timedelta(days=ahead) for ahead in range(days)} - {clock.date() for clock in shown}


def _first(shown: list[datetime], clock: datetime, *, last: bool) -> int:
    """The first or last minute in which a clock shows this; else the first one in which it shows more."""
    at = [minute for minute, seen in enumerate(shown) if seen == clock]
    later = (minute for minute, seen in enumerate(shown) if seen > clock)
    return at[-1 if last else 0] if at else next(later, len(shown))
