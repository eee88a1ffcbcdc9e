"""What is to be done about an engine's warmth: decided from what is known, and from nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engines.base import State
from engines.hours import ActiveHours
from engines.keeper import DEAD_AFTER, Act, Facts, Plan, Step, ahead_s, decide, pause_s

OPENS = 1_900_000_800.0 - 1_900_000_800.0 % 86_400 + 8 * 3600
"""A morning at eight, in UTC."""
CLOSES = OPENS + 10 * 3600
HOURS = ActiveHours.parse(["daily 08:00-18:00"], "UTC")
KEPT = Plan(HOURS, beat_s=30, idle_s=300)
NOON = OPENS + 4 * 3600
NIGHT = OPENS - 6 * 3600
LONG_AGO = NIGHT - 86_400

plans = some.builds(
    Plan, some.sampled_from([None, HOURS]), some.floats(1, 600), some.one_of(some.none(), some.floats(0, 3600))
)
moments = some.floats(OPENS - 2 * 86_400, OPENS + 2 * 86_400)
facts = some.builds(
    Facts,
    some.sampled_from(list(State)),
    moments,
    heard_at=moments | some.just(0.0),
    asked_at=moments | some.just(0.0),
    beat_at=moments | some.just(0.0),
    running=some.booleans(),
    boot_s=some.none() | some.floats(0, 3600),
    failures=some.integers(0, 50),
    missed=some.integers(0, 5),
    failed_at=moments | some.just(0.0),
    cooled_at=moments | some.just(0.0) | some.floats(0, 1e15),
)


def warm(since: float = LONG_AGO, **more: Any) -> Facts:
    return Facts(State.WARM, since)._replace(**more)


@given(moments, plans, facts)
def test_what_is_to_be_done_is_to_be_done_now_and_what_is_not_later(now: float, plan: Plan, known: Facts) -> None:
    step = decide(now, plan, known)
    assert step.at == now if step.act else step.at > now


@given(moments, plans, facts)
def test_each_thing_is_done_only_to_an_engine_in_that_state(now: float, plan: Plan, known: Facts) -> None:
    allowed: dict[State, set[Act | None]] = {
        State.COLD: {"boot", None},
        State.BROKEN: {"boot", None},
        State.WARM: {"beat", "cool", "revive", None},
        State.BOOTING: {None},
        State.DRAINING: {None},
    }
    assert decide(now, plan, known).act in allowed[known.state]


@given(moments, facts, some.floats(1, 600))
def test_without_hours_and_idle_seconds_nothing_is_ever_done(now: float, known: Facts, beat_s: float) -> None:
    assert decide(now, Plan(None, beat_s, None), known._replace(elsewhere=False)).act is None


@given(moments, facts, some.floats(1, 600))
def test_of_engines_elsewhere_only_a_broken_one_is_tried_again_without_hours(
    now: float, known: Facts, beat_s: float
) -> None:
    act = decide(now, Plan(None, beat_s, None), known._replace(elsewhere=True)).act
    assert act is None or (act, known.state) == ("boot", State.BROKEN)


@given(some.floats(OPENS, CLOSES - 1), plans, facts)
def test_nothing_goes_cold_within_its_hours(now: float, plan: Plan, known: Facts) -> None:
    assert decide(now, plan._replace(hours=HOURS), known).act != "cool"


@given(moments, plans, facts)
def test_what_a_caller_waits_for_does_not_go_cold(now: float, plan: Plan, known: Facts) -> None:
    assert decide(now, plan, known._replace(running=True)).act != "cool"


@given(moments, plans, facts, some.lists(some.floats(0.001, 200_000), max_size=20))
def test_nothing_is_due_before_it_was_said_to_be(now: float, plan: Plan, known: Facts, waits: list[float]) -> None:
    """Whoever sleeps until the next step misses none."""
    at = decide(now, plan, known).at
    for wait in waits:
        if now < now + wait < at:
            assert decide(now + wait, plan, known.by(now)).act is None


@pytest.mark.parametrize(
    ("now", "known", "step"),
    [
        (NOON, Facts(State.COLD, LONG_AGO), Step("boot", NOON, "boots for its active hours")),
        (NIGHT, Facts(State.COLD, LONG_AGO), Step(None, OPENS - 150, "boots for its active hours")),
        (NIGHT, Facts(State.COLD, LONG_AGO, boot_s=80), Step(None, OPENS - 100, "boots for its active hours")),
        (OPENS - 100, Facts(State.COLD, LONG_AGO, boot_s=80), Step("boot", OPENS - 100, "boots for its active hours")),
        (OPENS - 30, Facts(State.COLD, LONG_AGO, boot_s=1), Step("boot", OPENS - 30, "boots for its active hours")),
        (NOON, warm(heard_at=NOON - 29), Step(None, NOON + 1, "heartbeat, when nobody asks")),
        (NOON, warm(beat_at=NOON - 29), Step(None, NOON + 1, "heartbeat, when nobody asks")),
        (NOON, warm(NOON - 29), Step(None, NOON + 1, "heartbeat, when nobody asks")),
        (NOON, warm(heard_at=NOON - 30, beat_at=NOON - 60), Step("beat", NOON, "heartbeat")),
        (OPENS - 40, warm(boot_s=32, beat_at=OPENS - 70), Step("beat", OPENS - 40, "heartbeat")),
        (NIGHT, warm(asked_at=NIGHT - 299), Step(None, NIGHT + 1, "goes cold when nobody asks")),
        (NIGHT, warm(asked_at=NIGHT - 300), Step("cool", NIGHT, "goes cold: unasked for 300 s")),
        (CLOSES, warm(beat_at=CLOSES - 1), Step("cool", CLOSES, "goes cold: unasked for 300 s")),
        (CLOSES, warm(asked_at=CLOSES - 1), Step(None, CLOSES + 299, "goes cold when nobody asks")),
        (NIGHT, warm(running=True), Step(None, OPENS - 150, "goes cold when nobody asks")),
        (NIGHT, Facts(State.BROKEN, LONG_AGO), Step(None, OPENS - 150, "boots for its active hours")),
    ],
)
def test_an_engine_of_a_model_with_hours(now: float, known: Facts, step: Step) -> None:
    assert decide(now, KEPT, known) == step


@pytest.mark.parametrize(
    ("ahead", "act"), [(150 + 150 + 1, "cool"), (150 + 150, None), (150 + 40, None), (150, "beat"), (0, "beat")]
)
def test_an_idle_engine_whose_hours_are_near_does_not_rest_for_less_than_a_boot(ahead: float, act: str | None) -> None:
    assert decide(OPENS - ahead, KEPT, warm()).act == act


def test_an_engine_whose_hours_come_before_it_has_been_idle_for_long_stays() -> None:
    now = OPENS - 400
    assert decide(now, KEPT, warm(asked_at=now)) == Step(None, OPENS - 150, "stays warm for its active hours")


def test_outside_its_hours_an_engine_without_idle_seconds_stays_and_is_not_beaten() -> None:
    assert decide(NIGHT, KEPT._replace(idle_s=None), warm()) == Step(None, OPENS - 150, "stays warm")


def test_a_model_without_hours_goes_cold_when_it_is_idle_and_boots_with_the_next_request() -> None:
    plan = Plan(None, 30, 60)
    assert decide(NOON, plan, warm(asked_at=NOON - 60)).act == "cool"
    assert decide(NOON, plan, warm(asked_at=NOON - 59)) == Step(None, NOON + 1, "goes cold when nobody asks")
    assert decide(NOON, plan, warm(running=True)).at == math.inf
    assert decide(NOON, plan, Facts(State.COLD, NOON)) == Step(None, math.inf, "boots with the next request")


def test_one_that_never_has_hours_again_waits_for_a_request() -> None:
    never = Plan(ActiveHours.parse([], "UTC"), 30, 300)
    assert decide(NOON, never, Facts(State.COLD, NOON)) == Step(None, math.inf, "boots with the next request")


def test_boots_that_fail_are_tried_again_ever_later_but_every_five_minutes_at_least() -> None:
    pauses = [pause_s(failures) for failures in range(12)]
    assert pauses == [0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]
    assert pause_s(10**9) == 300
    for failures, pause in enumerate(pauses[1:], 1):
        known = Facts(State.BROKEN, NOON, failures=failures, failed_at=NOON)
        assert decide(NOON, KEPT, known) == Step(None, NOON + pause, "tries again")
        assert decide(NOON + pause, KEPT, known).act == "boot"


def test_a_missed_heartbeat_comes_again_soon_and_three_in_a_row_boot_the_engine_anew() -> None:
    missed_1, missed_2, missed_3 = (
        warm(failures=missed, missed=missed, failed_at=NOON, heard_at=NOON - 40) for missed in (1, 2, DEAD_AFTER)
    )
    assert decide(NOON, KEPT, missed_1) == Step(None, NOON + 5, "heartbeat, when nobody asks")
    assert decide(NOON + 5, KEPT, missed_1).act == "beat"
    assert decide(NOON, KEPT, missed_2).at == NOON + 10
    assert decide(NOON, KEPT, missed_3) == Step("revive", NOON, "boots again: its heartbeat failed")


def test_an_engine_that_was_booted_anew_and_fails_again_is_left_alone_for_longer() -> None:
    known = warm(failures=6, missed=DEAD_AFTER, failed_at=NOON)
    assert decide(NOON, KEPT, known) == Step(None, NOON + 20, "boots again: its heartbeat failed")
    assert decide(NOON + 20, KEPT, known).act == "revive"
    assert decide(NOON, KEPT, known._replace(failures=60)).at == NOON + 300


def test_boots_that_failed_before_it_was_warm_are_no_missed_heartbeats() -> None:
    known = warm(NOON, failures=9, failed_at=NOON - 50)
    assert decide(NOON, KEPT, known) == Step(None, NOON + 30, "heartbeat, when nobody asks")


def test_nothing_is_expected_of_a_dead_engine_outside_its_hours() -> None:
    assert decide(NIGHT, KEPT, warm(failures=3, missed=3, failed_at=NIGHT)).act == "cool"


@pytest.mark.parametrize("back", [11, 3600, 86_400])
def test_a_clock_that_is_set_back_silences_no_heartbeat(back: float) -> None:
    told = warm(NOON + back, heard_at=NOON + back, beat_at=NOON + back)
    assert decide(NOON, KEPT, told).act == "beat"
    assert decide(NOON, KEPT, told._replace(beat_at=NOON)).at == NOON + 30
    failed = Facts(State.BROKEN, NOON + back, failures=7, failed_at=NOON + back)
    assert decide(NOON, KEPT, failed).act == "boot"


def test_a_clock_that_is_a_little_ahead_of_this_one_is_believed() -> None:
    assert decide(NOON, KEPT, warm(heard_at=NOON + 9)) == Step(None, NOON + 30, "heartbeat, when nobody asks")


@given(plans, facts, some.floats(0, 86_400))
def test_a_clock_that_is_set_ahead_and_found_wrong_leaves_no_harm(plan: Plan, known: Facts, ahead: float) -> None:
    """What was noted while it was ahead puts nothing off for longer than a heartbeat and what clocks differ by."""
    plan = plan._replace(hours=HOURS)
    wrong = known._replace(
        state=State.WARM, since=NOON + ahead, beat_at=NOON + ahead, heard_at=NOON + ahead, missed=0, failures=0
    )
    assert decide(NOON, plan, wrong).at <= NOON + plan.beat_s
    assert decide(NOON + plan.beat_s + 10, plan, wrong.by(NOON)).act == "beat"


@given(some.none() | some.floats(0, 900))
def test_a_boot_begins_earlier_than_it_was_ever_seen_to_take(boot_s: float | None) -> None:
    assert ahead_s(boot_s) >= max(30, 1.25 * (boot_s or 0))
    assert boot_s is not None or ahead_s(boot_s) == 150


def test_what_broke_elsewhere_is_tried_again_after_a_pause_though_nobody_asks_for_it() -> None:
    known = Facts(State.BROKEN, since=100, elsewhere=True, failures=1, failed_at=100)
    assert decide(101, Plan(), known)[:2] == (None, 105)
    assert decide(105, Plan(), known) == ("boot", 105, "tries again")


def test_what_goes_cold_when_nobody_asks_is_not_tried_again_before_somebody_does() -> None:
    known = Facts(State.BROKEN, since=100, elsewhere=True, failures=1, failed_at=100)
    assert decide(1_000, Plan(idle_s=300), known) == (None, math.inf, "boots with the next request")


@pytest.mark.parametrize(("boot_s", "longest"), [(None, 300), (0.1, 30), (8, 80), (60, 300)])
def test_pauses_grow_to_ten_boots_but_neither_below_half_a_minute_nor_above_five(
    boot_s: float | None, longest: float
) -> None:
    pauses = [pause_s(failures, boot_s) for failures in range(1, 20)]
    assert pauses[:3] == [5, 10, 20]
    assert pauses[-1] == max(pauses) == longest
