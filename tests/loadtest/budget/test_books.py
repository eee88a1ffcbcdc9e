"""What must never be in the books is seen."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal

import pytest

from loadtest.budget.books import Verdict, text
from loadtest.budget.plan import SCENES, Plan, settings
from loadtest.plan import PlanError


def budget(spent: str, reserved: str) -> dict[str, str]:
    return {"limit": "10", "spent": spent, "reserved": reserved}


def good() -> Verdict:
    verdict = Verdict("file", used=Decimal("9.5"), had=Decimal(9), freed_s=0.1, booked=7, generated=7)
    verdict.ends.update({"whole": 3, "402": 1})
    for told in (budget("0", "1"), budget("4", "6"), budget("9.5", "0")):
        verdict.look(told)
    return verdict


def test_books_that_add_up_are_not_broken() -> None:
    verdict = good()
    verdict.close()

    assert not verdict.broken
    assert verdict.most == 10 and verdict.looks == 3
    assert "BROKEN" not in text([verdict])
    assert json.loads(json.dumps(verdict.as_json()))["spent"] == "9.5"


@pytest.mark.parametrize("told", [budget("9.5", "0.500000001"), budget("9.4", "0")])
def test_more_than_the_limit_is_seen_and_so_is_money_that_comes_back(told: dict[str, str]) -> None:
    verdict = good()
    verdict.look(told)

    assert len(verdict.broken) == 1
    assert "BROKEN file: spent" in text([verdict])


def test_an_end_that_does_not_add_up_is_seen() -> None:
    """Reserved for ever, given for nothing, in no usage, booked twice, and a budget that refused nobody."""
    verdict = good()
    verdict.freed_s, verdict.had, verdict.used, verdict.booked = None, Decimal("9.6"), Decimal("9.4"), 8
    del verdict.ends["402"]
    verdict.close()

    assert len(verdict.broken) == 5


def test_half_of_all_callers_leave_and_the_same_seed_asks_the_same() -> None:
    asks = [Plan(seed=3).ask(place, 0) for place in range(400)]

    assert asks == [Plan(seed=3).ask(place, 0) for place in range(400)]
    assert 150 < sum(ask.leaves_after is not None for ask in asks) < 250
    assert {5, 40} <= {ask.max_tokens for ask in asks} <= set(range(5, 41))
    assert len({ask.content for ask in asks}) == 400


def test_the_settings_say_what_the_plan_counts_with() -> None:
    told = tomllib.loads(settings("secret"))
    assert told["model"]["bench"] == {"price_per_second": 0.001, "price_per_million_output": 1000.0}
    assert {scene.replicas for scene in SCENES.values()} == {1, 3}


@pytest.mark.parametrize("wrong", [{"streams": 0}, {"seconds": 1000}, {"budget": 0}])
def test_a_plan_is_bounded(wrong: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="at most"):
        Plan(**wrong)  # type: ignore[arg-type]
