"""When the next worker starts."""

from __future__ import annotations

from gateway.post import next_pause


def test_a_worker_that_lived_for_a_while_is_followed_at_once() -> None:
    assert next_pause(last=30, lived=10) == 0


def test_one_that_keeps_dying_is_waited_for_longer_each_time_up_to_a_bound() -> None:
    pauses = [0.0]
    for _ in range(9):
        pauses.append(next_pause(pauses[-1], lived=0.1))
    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
