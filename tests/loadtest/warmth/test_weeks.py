"""Who comes, and when."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from loadtest.plan import PlanError
from loadtest.warmth.weeks import TOWNS, midnight, monday, recorded

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN, END = (midnight(date(2026, 9, day), BERLIN) for day in (7, 28))


@pytest.mark.parametrize("town", TOWNS.values(), ids=TOWNS)
def test_a_seed_is_one_crowd_in_order_and_in_time(town) -> None:
    people = town.arrivals(BEGIN, END, BERLIN, seed=1)
    assert people == sorted(people) == town.arrivals(BEGIN, END, BERLIN, seed=1)
    assert people != town.arrivals(BEGIN, END, BERLIN, seed=2)
    assert BEGIN <= people[0] and people[-1] < END


def test_people_come_as_often_as_the_rate_says() -> None:
    clocks = [datetime.fromtimestamp(at, BERLIN) for at in TOWNS["office"].arrivals(BEGIN, END, BERLIN, seed=0)]
    by_hour = Counter(clock.hour for clock in clocks if clock.weekday() < 5)
    assert by_hour[10] / 15 == pytest.approx(15, rel=0.2)
    assert by_hour[8] / 15 == pytest.approx(4, rel=0.35)
    assert sum(clock.weekday() >= 5 for clock in clocks) < 20


def test_moods_change_from_week_to_week() -> None:
    town = TOWNS["weekend"]
    people = town.arrivals(BEGIN, midnight(date(2026, 12, 28), BERLIN), BERLIN, seed=0)
    weeks = Counter(datetime.fromtimestamp(at, BERLIN).isocalendar().week for at in people).values()
    assert max(weeks) > 5 * min(weeks)


def test_a_record_is_read_with_and_without_a_head() -> None:
    assert recorded("when,who\n1795300010.5,b\n\n1795300000,a\n") == [1795300000, 1795300010.5]
    assert recorded("3\n2\n1") == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "when\n", "1\nyesterday", "1\nnan", "1\n-5", "1\n99999999999"])
def test_what_is_no_record_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(PlanError, match="A record h"):
        recorded(text)


def test_weeks_begin_on_monday_at_midnight_of_the_place() -> None:
    assert monday(date(2026, 11, 22)) == monday(date(2026, 11, 16)) == date(2026, 11, 16)
    # The week in which the clock is turned back.
    assert midnight(date(2026, 10, 26), BERLIN) - midnight(date(2026, 10, 19), BERLIN) == (7 * 24 + 1) * 3600
