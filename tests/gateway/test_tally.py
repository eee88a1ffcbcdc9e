"""A run's account."""

from __future__ import annotations

from gateway.events import Accepted
from gateway.tally import Stopwatch
from tests.turning import Turned


def test_all_is_compute_from_the_prompts_taking_where_no_seconds_are_told() -> None:
    clock = Turned()
    stopwatch = Stopwatch(clock)
    clock.turn(5)
    assert stopwatch.seconds == 0
    stopwatch.took(Accepted(3))
    clock.turn(2)
    # A count that comes later starts nothing anew.
    stopwatch.took(Accepted(4))
    clock.turn(1)
    assert stopwatch.seconds == 3


def test_what_an_engine_tells_stands_until_it_computes_again() -> None:
    clock = Turned()
    stopwatch = Stopwatch(clock)
    stopwatch.took(Accepted(3))
    clock.turn(9)
    stopwatch.took(Accepted(3, seconds=2.5))
    clock.turn(60)
    assert stopwatch.seconds == 2.5
    stopwatch.took(Accepted(3))
    clock.turn(1)
    assert stopwatch.seconds == 3.5
