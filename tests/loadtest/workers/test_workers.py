"""One worker beside two, from the command line to the ratio."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.plan import PlanError
from loadtest.rounds import Rounds
from loadtest.steady import Steady
from loadtest.workers.results import Plan, Results


def results(wrong: int = 0) -> Results:
    """Two workers give twice the tokens, for half as much again of the CPU."""
    plan = Plan(rounds=1)
    rounds: Rounds[Steady] = Rounds(plan.names)
    rounds.note("1 worker", Steady(1000, 1, {"server": 0.9, "redis": 0.1}, 0.2, 1.0, 1000, 0))
    rounds.note("2 workers", Steady(2000, 1, {"server": 1.35, "redis": 0.15}, 0.4, 0.5, 2000, wrong))
    return Results(plan, rounds)


def test_beside_the_wall_clocks_ratio_stands_that_of_the_cpu() -> None:
    """Frames have ratios of their own: two tokens that wait together go in one."""
    told = results().text().replace(" ", "")
    assert "|tok/s|2(2..2)|" in told and "|events/s|1(1..1)|" in told
    assert "|tokensperCPUsecond|1.33(1.33..1.33)|" in told and "|eventsperCPUsecond|0.667" in told


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_answer_that_is_not_whole_fails_the_run(wrong: int) -> None:
    assert results(wrong).failed == bool(wrong)


@pytest.mark.parametrize("wrong", [{"workers": 1}, {"rounds": 51}, {"streams": 0}])
def test_a_plan_is_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be from"):
        Plan(**wrong)


def test_one_worker_and_two_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--streams 4 --tokens 20 --token-ms 5 --rounds 1 --seconds 0.5".split()
    out = ["--json", str(tmp_path / "workers.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "workers", *size, *out])
    assert command.main() == 0

    told = json.loads((tmp_path / "workers.json").read_text())
    assert [one["server"] for one in told] == ["1 worker", "2 workers"]
    assert all(one["tokens"] > 0 and set(one["cpu"]) == {"server", "redis"} for one in told)
    assert "2 workers/1 worker" in capsys.readouterr().out
