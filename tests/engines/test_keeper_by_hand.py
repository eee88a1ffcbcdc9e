"""What the keeper does about an engine that somebody stopped, or booted, by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from engines.base import State
from engines.hours import ActiveHours
from engines.keeper import Facts, Plan, decide

PLAN = Plan(ActiveHours.parse(["daily 08:00-20:00"], "UTC"), idle_s=300)
BOOT_S = 100.0
AHEAD_S = 125.0


def at(clock: str, day: int = 1) -> float:
    return datetime.fromisoformat(f"2026-03-{day:02}T{clock}:00").replace(tzinfo=UTC).timestamp()


def act(now: float, cooled_at: float, plan: Plan = PLAN) -> tuple[str | None, float]:
    step = decide(now, plan, Facts(State.COLD, cooled_at, boot_s=BOOT_S, cooled_at=cooled_at))
    return step.act, step.at


@pytest.mark.parametrize("now", [at("12:00"), at("19:59"), at("20:00"), at("23:00")])
def test_what_was_stopped_in_its_hours_stays_cold_until_the_next_ones(now: float) -> None:
    assert act(now, at("11:59")) == (None, at("08:00", 2) - AHEAD_S)


def test_at_the_next_hours_it_boots_ahead_as_ever() -> None:
    assert act(at("08:00", 2) - AHEAD_S, at("11:59")) == ("boot", at("08:00", 2) - AHEAD_S)
    assert act(at("09:00", 2), at("11:59"))[0] == "boot"


def test_what_was_stopped_while_it_booted_ahead_stays_cold_for_those_hours() -> None:
    assert act(at("08:30"), at("07:59")) == (None, at("08:00", 2) - AHEAD_S)


def test_what_was_stopped_outside_its_hours_is_warm_in_them() -> None:
    assert act(at("07:00"), at("06:00")) == (None, at("08:00") - AHEAD_S)
    assert act(at("08:00"), at("06:00"))[0] == "boot"


def test_what_was_not_stopped_by_hand_boots_in_its_hours() -> None:
    assert act(at("12:00"), 0.0)[0] == "boot"


def test_where_hours_never_end_it_stays_cold() -> None:
    plan = Plan(ActiveHours.parse(["daily 00:00-24:00"], "UTC"))
    step = decide(at("12:00"), plan, Facts(State.COLD, 0.0, cooled_at=at("11:00")))
    assert step == (None, math.inf, "stopped by hand: boots with the next request")


def test_what_was_warmed_outside_its_hours_goes_cold_again() -> None:
    facts = Facts(State.WARM, since=at("22:00"))
    assert decide(at("22:04"), PLAN, facts)[:2] == (None, at("22:05"))
    assert decide(at("22:05"), PLAN, facts).act == "cool"


def test_what_was_broken_when_it_was_stopped_is_not_tried_again() -> None:
    broken = Facts(State.BROKEN, since=at("10:00"), failures=1, failed_at=at("10:00"), elsewhere=True)
    assert decide(at("12:00"), Plan(), broken).act == "boot"
    stopped = decide(at("12:00"), Plan(), broken._replace(cooled_at=at("11:00")))
    assert stopped == (None, math.inf, "boots with the next request")
