"""Hits beside a bare GET, from the command line to the ratios."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.hit.report import text
from loadtest.hit.run import BARE, Plan, Results
from loadtest.plan import PlanError
from loadtest.report import Spread
from loadtest.turn import Turn


def turn(first: float, per_second: float, wrong: int = 0) -> Turn:
    return Turn(10, wrong, Spread(first, first, first, first), per_second, 100, 0.5)


def test_ratios_are_to_the_bare_get_of_the_same_round() -> None:
    """The median of them, not the ratio of medians."""
    plan = Plan(tokens=(50,), levels=(1,), rounds=3)
    results = Results(plan)
    for shape in plan.shapes():
        results.sizes[shape] = 900
        results.turns[shape, BARE] = [turn(1, 100), turn(2, 100), turn(4, 100)]
        results.turns[shape, "memory"] = [turn(10, 50), turn(8, 25), turn(8, 10)]
        results.turns[shape, "redis"] = [turn(10, 50), turn(20, 50), turn(40, 50)]

    assert "4 (2..10)" in text(results) and "10 (10..10)" in text(results) and "0.25 (0.1..0.5)" in text(results)
    assert len(results.as_json()) == 2 * 3 * 3


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_answer_that_is_no_hit_fails_the_run(wrong: int) -> None:
    results = Results(Plan(tokens=(50,), levels=(1,), rounds=1))
    for turns in results.turns.values():
        turns.append(turn(1, 100))
    next(iter(results.turns.values())).append(turn(1, 100, wrong))

    assert results.failed == bool(wrong)


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"seconds": 1000}, {"levels": (0,)}, {"tokens": (10_000,)}])
def test_a_plan_is_bounded(wrong: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="at most"):
        Plan(**wrong)  # type: ignore[arg-type]


def test_every_answer_of_a_turn_is_a_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of both stores, plain and streamed; the value beside it has the same size."""
    size = "--tokens 5 --levels 2 --rounds 1 --seconds 0.05".split()
    out = ["--json", str(tmp_path / "hit.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "hit", *size, *out])
    assert command.main() == 0

    told = json.loads((tmp_path / "hit.json").read_text())
    assert {(one["asked"], one["streamed"]) for one in told} == {
        (name, streamed) for name in ("GET", "memory", "redis") for streamed in (True, False)
    }
    assert all(one["answers"] > 0 and one["wrong"] == 0 and 0 < one["first"]["p50"] < 1000 for one in told)
    assert "ratio to the bare GET" in capsys.readouterr().out
