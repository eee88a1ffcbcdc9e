"""What a relay adds, from the command line to the difference."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.added.results import DIRECT, RELAY, Plan, Results, Side, Turn
from loadtest.plan import PlanError


def results(wrong: int = 0, relayed: int = 4) -> Results:
    """Three rounds in which the relay adds one, two and four milliseconds."""
    turns = [
        Turn.of(1, {DIRECT: Side([0.02] * 4, 0), RELAY: Side([0.02 + more / 1000] * relayed, wrong)}, 30, 0.1)
        for more in (1, 2, 4)
    ]
    return Results({1: turns})


def test_what_is_added_is_the_difference_of_the_same_round() -> None:
    told = results().text()
    assert "2 (1..4)" in told and "| 1       | relay  | 22.00 " in told


@pytest.mark.parametrize(("wrong", "relayed", "failed"), [(0, 4, False), (1, 4, True), (0, 0, True)])
def test_a_side_that_did_not_answer_as_it_should_fails_the_run(wrong: int, relayed: int, failed: bool) -> None:
    assert results(wrong, relayed).failed == failed


def test_answers_are_not_all_alike_and_not_far_from_what_was_asked_for() -> None:
    plan, chance = Plan(tokens=32), random.Random(1)
    lengths = [plan.length(chance) for _ in range(1000)]
    assert (min(lengths), max(lengths)) == (16, 48) and 30 < sum(lengths) / 1000 < 34


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"requests": 0}, {"streams": 5000}])
def test_a_plan_is_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be from"):
        Plan(**wrong)


def test_one_stream_and_many_are_measured_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--streams 3 --requests 2 --tokens 4 --prefill-ms 5 --token-ms 2 --rounds 1 --seconds 0.3".split()
    out = ["--json", str(tmp_path / "added.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "added", *size, *out])
    assert command.main() == 0

    one, many = json.loads((tmp_path / "added.json").read_text())
    assert (one["streams"], many["streams"], one["answers"]) == (1, 3, 2)
    assert all(5 <= each[side]["p50"] < 2000 for each in (one, many) for side in (DIRECT, RELAY))
    assert "added by the relay" in capsys.readouterr().out
