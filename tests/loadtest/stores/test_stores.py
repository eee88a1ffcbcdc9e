"""Memory beside Redis, from the command line to the ratio."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.monitor import Sent
from loadtest.plan import PlanError
from loadtest.redis import Traffic
from loadtest.rounds import Rounds
from loadtest.steady import Steady
from loadtest.stores.results import MEMORY, REDIS, Plan, Results, Turn


def turn(server: float, commands: int = 0, wrong: int = 0) -> Turn:
    streams = Steady(1000, 1, {"server": server, "redis": 0.01}, 0.1, 1.0, 2000, wrong)
    return Turn(streams, Traffic(Counter({"evalsha": commands // 10, "xadd": commands}), 4000, 0))


def results(wrong: int = 0) -> Results:
    rounds: Rounds[Turn] = Rounds([MEMORY, REDIS])
    for ours in (0.1, 0.2):
        rounds.note(MEMORY, turn(0.1))
        rounds.note(REDIS, turn(ours, 2000, wrong))
    return Results(Plan(rounds=2), rounds, Sent(by_clients=10, within_scripts=90))


def test_the_ratio_is_of_the_servers_cpu_for_a_token() -> None:
    assert "redis/memory: 1.5 (1..2)" in results().text()


def test_commands_that_scripts_ran_were_not_sent() -> None:
    """Of 2,200 commands for 2,000 tokens a tenth came over connections."""
    assert results().sent_per_token(turn(0.1, 2000)) == pytest.approx(0.11)
    assert "commands sent for a token: 0.11" in results().text() and "bytes into Redis: 2 " in results().text()


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_answer_that_is_not_whole_fails_the_run(wrong: int) -> None:
    assert results(wrong).failed == bool(wrong)


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"streams": 5000}, {"tokens": 1}, {"seconds": 1000}])
def test_a_plan_is_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be from"):
        Plan(**wrong)


def test_both_stores_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--streams 4 --tokens 20 --rounds 1 --seconds 0.5".split()
    out = ["--json", str(tmp_path / "stores.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "stores", *size, *out])
    assert command.main() == 0

    memory, redis = json.loads((tmp_path / "stores.json").read_text())
    assert (memory["store"], redis["store"]) == (MEMORY, REDIS)
    assert min(memory["tokens"], redis["tokens"]) > 0
    assert redis["redis"]["commands"]["xadd"] > 0 and "xadd" not in memory["redis"]["commands"]
    assert redis["redis"]["bytes_in"] > 100 * memory["redis"]["bytes_in"]
    assert "commands sent for a token" in capsys.readouterr().out
