"""A load is bounded, decided beforehand, and the same for the same seed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from loadtest.arrivals import Arrivals, Bursts, Closed, Poisson, Ramp
from loadtest.plan import Harms, Plan, PlanError, Shape
from loadtest.workloads import Conversations, Distinct, Zipf

PLAN: dict[str, Any] = {"shape": Shape("demo"), "work": Distinct(), "arrivals": Closed(4), "requests": 100}


@pytest.mark.parametrize(
    "wish",
    [
        {"requests": 0},
        {"requests": 10**7},
        {"arrivals": Closed(0)},
        {"arrivals": Closed(50_000)},
        {"arrivals": Closed(1, think_s=-2)},
        {"arrivals": Poisson(0)},
        {"arrivals": Poisson(math.nan)},
        {"arrivals": Bursts(0, 1)},
        {"arrivals": Bursts(5, 0)},
        {"arrivals": Ramp(0, 5, 1)},
        {"arrivals": Ramp(1, 5, math.inf)},
        {"seconds": 10_000},
        {"seconds": math.nan},
        {"lasting": 0},
        {"generations": 0},
        {"work": Zipf(0, 1)},
        {"work": Conversations(0, 1)},
        {"harms": Harms(cancel=1.5)},
        {"harms": Harms(cut=-0.1)},
        {"harms": Harms(cut=0.5, cut_bytes=0)},
    ],
)
def test_a_load_without_bounds_is_refused(wish: dict[str, Any]) -> None:
    """Too many, too long, or none at all."""
    with pytest.raises(PlanError):
        Plan(**{**PLAN, **wish})


@pytest.mark.parametrize("arrivals", [Poisson(50), Bursts(7, 0.5), Ramp(10, 90, 2)])
def test_client_processes_together_make_what_one_would(arrivals: Arrivals) -> None:
    """Each request at its own time, in one of them."""
    plan = Plan(**{**PLAN, "arrivals": arrivals, "seed": 3})
    alone, shared = list(plan.due(0, 1)), [due for client in range(3) for due in plan.due(client, 3)]

    assert sorted(shared) == alone
    assert [number for number, _ in alone] == [*range(100)]


def test_closed_loops_share_requests_and_streams() -> None:
    """None is lost, none is made twice."""
    plan = Plan(**PLAN)

    assert sorted(number for client in range(3) for number in plan.numbers(client, 3)) == [*range(100)]
    assert [Closed(4).share(client, 3).streams for client in range(3)] == [2, 1, 1]


def test_nothing_arrives_after_its_time() -> None:
    """However many were asked for."""
    plan = Plan(**{**PLAN, "arrivals": Bursts(10, 1.0), "lasting": 2.5})

    assert [at for _, at in plan.due(0, 1)] == [0.0] * 10 + [1.0] * 10 + [2.0] * 10


def test_harm_is_done_to_the_stated_share() -> None:
    """To the same requests with the same seed, at random places."""
    plan = Plan(**{**PLAN, "harms": Harms(cancel=0.25, cut=0.5, cut_bytes=1000)})
    harms = [plan.harm(number, 20) for number in range(2000)]
    leaves = [harm.leave_after for harm in harms if harm.leave_after is not None]
    cuts = [harm.cut_after for harm in harms if harm.cut_after is not None]

    assert harms == [plan.harm(number, 20) for number in range(2000)]
    assert len(leaves) / 2000 == pytest.approx(0.25, abs=0.04)
    assert len(cuts) / 2000 == pytest.approx(0.5, abs=0.04)
    assert set(leaves) == {*range(1, 21)}
    assert 0 < min(cuts) and max(cuts) <= 1000


def test_what_was_asked_for_is_kept_with_the_figures() -> None:
    """In words that can be read, and without the prompts."""
    told = json.loads(json.dumps(Plan(**PLAN).as_json()))

    assert (told["arrivals"], told["model"]) == ("closed loop, 4 at a time", "demo")
    assert told["work"] == "each prompt another one; words 16; tokens 128"
