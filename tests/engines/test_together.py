"""What several replicas know of one engine, as one."""

from __future__ import annotations

from typing import Any

from engines.base import State
from engines.board import Sighting
from engines.together import together


def told(state: State = State.WARM, **facts: Any) -> Sighting:
    return Sighting(**{"model": "demo", "state": state, "stage": state.value, "since": 5.0, **facts})


def test_it_is_as_warm_as_any_finds_it_and_as_long_as_the_first_one_does() -> None:
    merged = together({"a": told(State.COLD), "b": told(since=3.0), "c": told(since=4.0)})
    assert (merged.state, merged.stage, merged.since) == (State.WARM, "warm", 3.0)


def test_what_each_counts_is_added_up_and_boots_are_not() -> None:
    merged = together(
        {
            "a": told(
                running=1, outstanding=10, tokens_per_s=1.5, beats=2, beat_s=0.5, boots=3, boot_s=60.0, waiting=1
            ),
            "b": told(running=2, outstanding=20, tokens_per_s=2.5, beats=1, beat_s=0.25, boots=1, waiting=2),
        }
    )
    assert (merged.running, merged.outstanding, merged.tokens_per_s, merged.waiting) == (3, 30, 4.0, 3)
    assert (merged.beats, merged.beat_s, merged.boots, merged.boot_s) == (3, 0.75, 3, 60.0)


def test_the_soonest_of_what_comes_next_is_told_and_the_alarm_of_any() -> None:
    merged = together(
        {"a": told(next_at=9.0, next_why="heartbeat"), "b": told(next_why="stays warm", alarm="no token", beat_at=2.0)}
    )
    assert (merged.next_at, merged.next_why, merged.alarm) == (9.0, "heartbeat", "no token")
    assert together({"a": told(next_why="stays warm")}).next_at is None


def test_one_that_does_not_boot_is_not_cold_for_those_who_have_not_tried_or_have_left_it() -> None:
    broken = told(State.BROKEN, since=20.0, stopped_at=19.0, alarm="no weights", failed_at=20.0)
    merged = together({"a": broken, "b": told(State.COLD, since=25.0), "c": told(State.COLD, since=1.0)})
    assert (merged.state, merged.since, merged.alarm) == (State.BROKEN, 20.0, "no weights")
    again = together({"a": broken, "b": told(State.BOOTING, since=26.0)})
    assert (again.state, again.alarm) == (State.BOOTING, "no weights")


def test_one_that_was_stopped_since_it_broke_is_cold() -> None:
    merged = together({"a": told(State.BROKEN, since=20.0), "b": told(State.COLD, since=30.0, stopped_at=29.0)})
    assert merged.state is State.COLD


def test_of_alarms_that_of_the_last_failure_is_told() -> None:
    alarms = {"a": told(alarm="new", failed_at=9.0, beat_at=1.0), "b": told(alarm="old", failed_at=8.0, beat_at=2.0)}
    assert together(alarms).alarm == "new"
