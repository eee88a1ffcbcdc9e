"""Hours learned from when people came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engines.habits import QUARTER_S, Bounds, Habits, learn

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 10, 19, tzinfo=BERLIN)
"""The clock is turned back in the week that it begins."""


def came(rate: Callable[[datetime], int], weeks: int, until: datetime = MONDAY) -> dict[int, int]:
    """Counts of the weeks before a moment, each quarter of an hour as the rate says of its local time."""
    end = int(until.timestamp())
    starts = range(end - weeks * 7 * 86400, end, QUARTER_S)
    return {start: rate(datetime.fromtimestamp(start, BERLIN)) for start in starts}


def at_work(clock: datetime) -> int:
    return 2 * (clock.weekday() < 5 and 9 <= clock.hour < 17)


def learned(arrivals: dict[int, int], now: datetime = MONDAY, bounds: Bounds | None = None) -> Habits:
    return learn(arrivals, BERLIN, now.timestamp(), bounds or Bounds())


def opened(habits: Habits, day: date) -> list[datetime]:
    """The quarters of a local day in which it is open."""
    begin = datetime.combine(day, datetime.min.time(), BERLIN)
    clocks = [begin + timedelta(minutes=15 * quarter) for quarter in range(96)]
    return [clock for clock in clocks if habits.at(clock.timestamp())]


def days_of(habits: Habits, after: int = 0) -> list[float]:
    """How many hours each day of the week has, or of one that comes so many weeks after."""
    monday = MONDAY.date() + timedelta(weeks=after)
    return [len(opened(habits, monday + timedelta(days=ahead))) / 4 for ahead in range(7)]


def test_hours_are_open_when_people_usually_come() -> None:
    habits = learned(came(at_work, weeks=4))
    for ahead in range(5):
        clocks = opened(habits, MONDAY.date() + timedelta(days=ahead))
        assert {clock.hour for clock in clocks} >= set(range(9, 17))
        assert {clock.hour for clock in clocks} <= set(range(8, 18))
    assert days_of(habits)[5:] == [0, 0]


def test_hours_go_by_the_clock_of_the_place_when_it_is_turned() -> None:
    habits = learned(came(at_work, weeks=4))
    before, after = (opened(habits, day) for day in (date(2026, 10, 19), date(2026, 10, 26)))
    assert [clock.time() for clock in before] == [clock.time() for clock in after]
    assert before[0].utcoffset() != after[0].utcoffset()


def test_learned_hours_are_asked_as_fixed_ones_are() -> None:
    habits = learned(came(at_work, weeks=4))
    change = habits.next_change(MONDAY.timestamp())
    assert change and change.kind == "opens" and habits.at(change.at) and not habits.at(change.at - 1)
    assert habits.opens_within(change.at - 60, 60) and not habits.opens_within(change.at - 61, 60)


def test_a_weekday_is_its_own() -> None:
    habits = learned(came(lambda clock: 5 * (clock.weekday() == 2 and clock.hour == 12), weeks=8))
    assert [day > 0 for day in days_of(habits)] == [False, False, True, False, False, False, False]


def test_until_a_weekday_is_known_it_is_as_its_kind() -> None:
    """Both Mondays that were seen were holidays."""
    holidays = frozenset((MONDAY - timedelta(weeks=ago)).date() for ago in (1, 2))
    habits = learn(came(at_work, weeks=2), BERLIN, MONDAY.timestamp(), Bounds(), holidays)
    assert [day >= 8 for day in days_of(habits)] == [True] * 5 + [False] * 2


def test_new_weeks_count_more_than_old_ones() -> None:
    moved = MONDAY - timedelta(weeks=3)
    arrivals = came(lambda clock: 2 * (clock.hour in ((20, 21) if clock >= moved else (8, 9))), weeks=8)
    habits = learned(arrivals, bounds=Bounds(ceiling_hours=2))
    assert {clock.hour for clock in opened(habits, MONDAY.date())} <= {19, 20, 21, 22}


def test_what_is_more_than_eight_weeks_ago_is_forgotten() -> None:
    old = came(lambda clock: 500 * at_work(clock), weeks=8, until=MONDAY - timedelta(weeks=9))
    now = came(lambda clock: 2 * (clock.hour == 22), weeks=8)
    assert learned(old | now).hours == learned(now).hours


def test_one_night_is_no_habit() -> None:
    arrivals = came(at_work, weeks=6)
    arrivals[int((MONDAY - timedelta(days=6, hours=21)).timestamp())] += 2
    assert learned(arrivals).hours == learned(came(at_work, weeks=6)).hours


def test_the_ceiling_and_the_budget_take_the_hours_in_which_most_come() -> None:
    arrivals = came(lambda clock: 9 if clock.hour == 14 else 2 if 8 <= clock.hour < 20 else 0, weeks=4)
    for bounds in (Bounds(ceiling_hours=1), Bounds(budget_per_day=5.0, cost_per_hour=5.0)):
        assert {clock.hour for clock in opened(learned(arrivals, bounds=bounds), MONDAY.date())} == {14}


def test_a_boot_ahead_of_a_window_is_paid_for() -> None:
    bounds = Bounds(ceiling_hours=3, boot_s=1800)
    assert days_of(learned(came(at_work, weeks=4), bounds=bounds)) == [2.5] * 5 + [0, 0]


def test_two_windows_pay_for_the_time_between_them_where_a_boot_takes_longer() -> None:
    arrivals = came(lambda clock: 2 * (clock.hour in (10, 13)), weeks=4)
    [hours, *_] = days_of(learned(arrivals, bounds=Bounds(ceiling_hours=8, boot_s=3 * 3600)))
    # Of eight hours one boot takes three; another would take all but two of those that are left.
    assert hours > 2.5


def test_the_floor_holds_where_nobody_comes() -> None:
    habits = learned(came(at_work, weeks=4), bounds=Bounds(floor_hours=3))
    assert days_of(habits)[5:] == [3, 3]


@pytest.mark.parametrize(("days", "seen"), [(6, 500), (28, 19)])
def test_with_little_to_learn_from_the_floor_is_kept_by_the_hour_of_the_day(days: int, seen: int) -> None:
    arrivals = {int((MONDAY - timedelta(days=ago)).timestamp()): 0 for ago in (days, 1)}
    arrivals[int((MONDAY - timedelta(days=2, hours=3)).timestamp())] = seen
    habits = learned(arrivals, bounds=Bounds(floor_hours=2))
    assert days_of(habits) == [2] * 7
    assert 21 in {clock.hour for clock in opened(habits, MONDAY.date())}
    said = f"{seen} arrivals in {days} days are too few to learn from, so the floor of 2 hours a day"
    assert habits.why.endswith(said)


def test_with_nothing_to_learn_from_the_floor_lies_around_one_in_the_afternoon() -> None:
    habits = learned({}, bounds=Bounds(floor_hours=2))
    assert {clock.hour for clock in opened(habits, MONDAY.date())} == {12, 13}
    assert learned({}).hours.windows == ()


def test_dates_left_out_teach_nothing_and_have_no_hours() -> None:
    out = frozenset({(MONDAY - timedelta(days=7)).date(), MONDAY.date()})
    strange = came(lambda clock: 50 * (clock.hour == 3) if clock.date() in out else at_work(clock), weeks=4)
    habits = learn(strange, BERLIN, MONDAY.timestamp(), Bounds(), out)
    assert [day >= 8 for day in days_of(habits)] == [False, True, True, True, True, False, False]
    assert {clock.hour for clock in opened(habits, MONDAY.date() + timedelta(days=7))} <= set(range(8, 18))


def test_learned_hours_say_from_what() -> None:
    habits = learned(came(at_work, weeks=4))
    assert (
        habits.why.startswith("Mon-Fri 08:") and "(Europe/Berlin): learned from 1280 arrivals in 28 days" in habits.why
    )


def test_hours_in_many_pieces_are_told_in_sum() -> None:
    habits = learned(came(lambda clock: 2 * (clock.hour % 4 == clock.weekday() % 4), weeks=4))
    assert habits.why.startswith(
        f"{len(habits.hours.windows)} windows, {sum(days_of(habits)):g} hours a week (Europe/Be"
    )


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"floor_hours": 5, "ceiling_hours": 4}, "floor <= ceiling"),
        ({"ceiling_hours": 25}, "floor <= ceiling"),
        ({"floor_hours": 4, "cost_per_hour": 5, "budget_per_day": 19}, "costs 20, more than the budget of 19"),
    ],
)
def test_bounds_that_cannot_be_are_told_why(bounds: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Bounds(**bounds)


moments = some.integers(int(MONDAY.timestamp()) - 60 * 86400, int(MONDAY.timestamp()) + 20 * 86400)
counts = some.dictionaries(moments.map(lambda at: at - at % QUARTER_S), some.integers(0, 40), max_size=80)


@settings(max_examples=50, deadline=None)
@given(counts, some.integers(0, 6), some.integers(0, 18), some.sampled_from([0, 90, 1800]))
def test_every_day_has_the_floor_and_stays_within_the_ceiling(
    arrivals: dict[int, int], floor: int, more: int, boot_s: int
) -> None:
    bounds = Bounds(floor_hours=floor, ceiling_hours=floor + more, boot_s=boot_s)
    # Not in the first week: on the night that is an hour longer, a window may be.
    for day in days_of(learned(arrivals, bounds=bounds), after=1):
        assert floor <= day <= floor + more


@settings(max_examples=50, deadline=None)
@given(counts, some.integers(0, 86399))
def test_nothing_since_midnight_is_looked_at_and_no_order(arrivals: dict[int, int], since: int) -> None:
    past = {start: count for start, count in sorted(arrivals.items()) if start < MONDAY.timestamp()}
    assert learned(arrivals, MONDAY + timedelta(seconds=since)) == learned(past)
