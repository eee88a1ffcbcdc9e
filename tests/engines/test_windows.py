"""Windows and dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engines.windows import DAY_MINUTES, Window, dates

windows = some.builds(
    lambda days, begin, length: Window(days, begin, begin + length),
    some.frozensets(some.integers(0, 6), min_size=1),
    some.integers(0, DAY_MINUTES - 1),
    some.integers(1, DAY_MINUTES - 1),
)


@given(windows)
def test_a_window_reads_as_it_is_written(window: Window) -> None:
    assert Window.parse(str(window)) == window


@pytest.mark.parametrize(
    ("written", "days", "begin", "end"),
    [
        ("Mon-Fri 08:00-20:00", {0, 1, 2, 3, 4}, 480, 1200),
        ("sat 9:30 - 14:00", {5}, 570, 840),
        ("Mon,Wed,Sat-Sun 00:00-24:00", {0, 2, 5, 6}, 0, 1440),
        ("Fri-Mon 22:00-02:00", {4, 5, 6, 0}, 1320, 1560),
        ("daily 18:00-00:00", {0, 1, 2, 3, 4, 5, 6}, 1080, 1440),
    ],
)
def test_windows_are_read(written: str, days: set[int], begin: int, end: int) -> None:
    assert Window.parse(written) == Window(frozenset(days), begin, end)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "Mon-Fri 08:00-20:00"),
        ("weekdays 08:00-20:00", "Mon-Fri 08:00-20:00"),
        ("Mon 8-20", "Mon-Fri 08:00-20:00"),
        ("Mon 08:00-20:00 please", "Mon-Fri 08:00-20:00"),
        ("Mon-Die 08:00-20:00", "no day Die; they are Mon, Tue"),
        ("Mon 08:00-20:60", "23:59"),
        ("Mon 24:00-02:00", "23:59"),
        ("Mon 08:00-24:01", "23:59"),
        ("Mon 08:00-08:00", "00:00-24:00"),
    ],
)
def test_what_is_no_window_is_told_what_one_looks_like(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Window.parse(written)


def test_a_range_of_dates_holds_both_its_ends() -> None:
    assert dates("2026-12-31..2027-01-02") == [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2)]
    assert dates("2026-12-24") == [date(2026, 12, 24)]


@pytest.mark.parametrize(
    "written", ["24.12.2026", "2026-02-30", "2026-12-24..", "2027-01-02..2026-12-24", "2026-01-01..2027-01-02"]
)
def test_what_is_no_date_is_told_what_one_looks_like(written: str) -> None:
    with pytest.raises(ValueError, match=r"2026-12-24|within a year"):
        dates(written)
