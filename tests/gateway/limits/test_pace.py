"""When to come back goes by how fast places come free, and by nothing else."""

from __future__ import annotations

from gateway.limits.pace import Pace


def test_it_is_a_guess_while_nothing_is_known() -> None:
    pace = Pace()
    assert pace.seconds() == 5
    pace.note_free(1000, wanted=False)
    assert pace.seconds() == 5


def test_it_is_the_mean_of_the_last_ones() -> None:
    pace = Pace()
    pace.note_wanted(0)
    for now in (2, 8):
        pace.note_wanted(now - 1)
        pace.note_free(now, wanted=True)
    assert pace.seconds() == 4
    for now in range(10, 42, 2):
        pace.note_free(now, wanted=True)
    assert pace.seconds() == 2


def test_time_in_which_nobody_wanted_a_place_does_not_count() -> None:
    pace = Pace()
    pace.note_wanted(0)
    pace.note_free(3, wanted=False)
    for now in (3600, 7200):
        pace.note_free(now, wanted=False)
    pace.note_wanted(10_000)
    assert pace.seconds() == 3
    pace.note_free(10_005, wanted=False)
    assert pace.seconds() == 4


def test_who_wanted_one_and_left_does_not_count_for_long() -> None:
    pace = Pace()
    pace.note_wanted(0)
    pace.note_spare()
    pace.note_free(50, wanted=False)
    assert pace.seconds() == 5


def test_it_is_neither_at_once_nor_never() -> None:
    pace = Pace()
    pace.note_wanted(0)
    pace.note_free(0.01, wanted=True)
    assert pace.seconds() == 1
    pace.note_free(9999, wanted=True)
    assert pace.seconds() == 60
