"""What trails say of each other is what happened."""

from __future__ import annotations

import math

import pytest

from loadtest.crowd.plan import MOST_READERS, Crowd
from loadtest.crowd.trail import Newest, Trail, caught_up, delays, silence
from loadtest.plan import PlanError


def trail(*reads: tuple[int, float]) -> Trail:
    """A reader that had everything up to that offset at that time, read by read."""
    made = Trail()
    for offset, time in reads:
        made.note(offset, time)
    return made


def test_an_event_arrives_with_the_read_that_holds_it() -> None:
    """Several may come with one read."""
    seen = trail((0, 1.0), (3, 2.0))

    assert [seen.arrival(offset) for offset in range(4)] == [1.0, 2.0, 2.0, 2.0]
    assert math.isnan(seen.arrival(4)) and seen.offset == 3


def test_what_arrived_in_a_time_begins_behind_what_was_there_before() -> None:
    """The end is not part of it."""
    seen = trail((4, 1.0), (6, 2.0), (7, 3.0))

    assert list(seen.between(1.5, 3.0)) == [5, 6]
    assert list(seen.between(0.0, 9.0)) == [4, 5, 6, 7]
    assert list(seen.between(5.0, 9.0)) == []
    assert seen.reads(1.5, 9.0) == 2


def test_a_delay_is_the_difference_of_the_arrivals_of_one_event() -> None:
    """It may be negative, and an event that never arrived has none."""
    here, there = trail((0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)), trail((0, 1.5), (2, 2.5))

    assert [*delays(here, there, 1.0, 4.0)] == [0.5, 0.5, -0.5]
    assert math.isnan(next(iter(delays(here, there, 4.0, 5.0))))


def test_newest_is_what_the_foremost_had() -> None:
    """Who is behind changes nothing; an arrival at that moment counts."""
    newest = Newest([trail((3, 1.0), (5, 4.0)), trail((4, 2.0), (4, 3.0), (9, 5.0))])

    assert [newest.at(time) for time in (0.5, 1.0, 2.5, 3.5, 4.0, 9.0)] == [-1, 3, 4, 4, 5, 9]


def test_who_comes_back_has_caught_up_with_the_foremost_not_with_its_own_past() -> None:
    """At 3.0 it has 5, but the other one has 6 since 2.8."""
    returning = trail((2, 1.0), (5, 3.0), (7, 3.5))
    newest = Newest([returning, trail((4, 1.5), (6, 2.8))])

    assert caught_up(returning, [0.5, 2.5], 2.0, newest) == 3.5


def test_who_missed_nothing_has_caught_up_with_the_first_word_of_the_answer() -> None:
    """There is nothing to send it."""
    returning = trail((4, 1.0), (5, 9.0))

    assert caught_up(returning, [0.5, 2.5], 2.0, Newest([returning])) == 2.5


def test_who_is_not_answered_never_catches_up() -> None:
    """Even if nobody has anything newer."""
    returning = trail((4, 1.0))

    assert math.isnan(caught_up(returning, [0.5], 2.0, Newest([returning])))


def test_silence_reaches_from_the_last_event_to_the_next() -> None:
    """Not from when it was cut off."""
    assert silence(trail((0, 1.0), (1, 1.5), (2, 4.0)), 2.0) == 2.5
    assert math.isnan(silence(trail((0, 1.0)), 2.0))


@pytest.mark.parametrize("wrong", [{"logs": 0}, {"readers": MOST_READERS + 1}, {"token_ms": 0}, {"seconds": 1e9}])
def test_a_crowd_is_bounded(wrong: dict[str, float]) -> None:
    """This machine has to bear it."""
    with pytest.raises(PlanError, match=next(iter(wrong))):
        Crowd(**wrong)  # type: ignore[arg-type]
