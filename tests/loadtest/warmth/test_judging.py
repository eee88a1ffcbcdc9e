"""Policies, and the weeks that they are judged by."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from engines.habits import Bounds
from loadtest.plan import PlanError
from loadtest.warmth.judging import Stage, judge, text
from loadtest.warmth.plot import svg
from loadtest.warmth.policies import always, fixed, learned, never, spans
from loadtest.warmth.weeks import TOWNS

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 10, 5)
STAGE = Stage(BERLIN, Bounds(boot_s=90, cost_per_hour=2), history_weeks=2, judged_weeks=2)
WEEKS = STAGE.weeks(FIRST)


def people(town: str = "office") -> list[float]:
    return TOWNS[town].arrivals(*STAGE.span(FIRST), BERLIN, seed=0)


def test_fixed_hours_are_open_by_the_local_clock_in_a_week_of_25_hour_days() -> None:
    told = [
        (opens - begin, closes - begin)
        for begin, end in WEEKS
        for opens, closes in spans(fixed(["Sun 08:00-20:00"], BERLIN), [(begin, end)])
    ]
    usual = ((6 * 24 + 8) * 3600, (6 * 24 + 20) * 3600)
    assert told == [usual, usual, (usual[0] + 3600, usual[1] + 3600), usual]


def test_always_is_every_week_whole_and_never_is_none() -> None:
    assert list(spans(always(BERLIN), WEEKS)) == WEEKS
    assert list(spans(never(BERLIN), WEEKS)) == []


def test_hours_over_the_end_of_a_week_go_on_in_the_next() -> None:
    told = list(spans(fixed(["Sun 22:00-02:00"], BERLIN), WEEKS[:2]))
    border = WEEKS[0][1]
    assert (border - 2 * 3600, border) in told and (border, border + 2 * 3600) in told


def test_nothing_is_learned_from_the_week_that_is_judged_or_a_later_one() -> None:
    week = WEEKS[2]
    came, policy = people(), learned(people(), WEEKS[0][0], BERLIN, STAGE.bounds)
    before = [at for at in came if at < week[0]]
    assert list(spans(policy, [week])) == list(spans(learned(before, WEEKS[0][0], BERLIN, STAGE.bounds), [week]))
    assert list(spans(policy, [week])) != []


def test_windows_that_are_none_are_refused() -> None:
    with pytest.raises(PlanError, match="no window"):
        fixed(["noon"], BERLIN)


def test_hours_are_dear_and_spare_people_the_cold() -> None:
    judged = judge("office", people(), TOWNS["office"].fixed, FIRST, STAGE)
    kept, habits, always_on, on_demand = (
        judged.outcomes[name] for name in ("fixed hours", "learned hours", "always on", "on demand")
    )
    assert always_on.cold == 0 < habits.cold < on_demand.cold and kept.cold < on_demand.cold
    assert on_demand.paid_s < habits.paid_s < always_on.paid_s
    # Two weeks, one of them an hour longer, and the boot ahead.
    assert always_on.paid_s == (2 * 7 * 24 + 1) * 3600 + 90
    assert judged.curve[0].waits == on_demand.waits
    assert judged.curve[24] == habits


def test_a_budget_is_a_ceiling_in_money() -> None:
    rich, poor = (
        judge("office", people(), (), FIRST, Stage(BERLIN, bounds, 2, 2)).outcomes["learned hours"]
        for bounds in (Bounds(cost_per_hour=2, boot_s=90), Bounds(cost_per_hour=2, boot_s=90, budget_per_day=8))
    )
    assert poor.paid_s < rich.paid_s and poor.cold > rich.cold


def test_weeks_without_anybody_are_refused() -> None:
    with pytest.raises(PlanError, match="nobody comes"):
        judge("ghost", people()[:1], (), FIRST, STAGE)


def test_a_stage_out_of_bounds_is_refused() -> None:
    with pytest.raises(PlanError, match="judged weeks must be from 1"):
        Stage(BERLIN, Bounds(), judged_weeks=0)


def test_the_figures_and_the_picture_hold_every_policy() -> None:
    results = [judge(name, people(name), TOWNS[name].fixed, FIRST, STAGE) for name in TOWNS]
    said, picture = text(results, "drawn"), ElementTree.fromstring(svg(results))
    for name in TOWNS:
        assert f"| {name}" in said
        assert any(name in (label.text or "") for label in picture.findall(".//{*}text"))
    assert len(picture.findall(".//{*}circle")) == 4 * len(TOWNS)
    assert "learned from" in said and "2 an hour" in said
