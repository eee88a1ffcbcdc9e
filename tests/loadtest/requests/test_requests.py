"""Plain requests, from the command line to the ratio."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.plan import PlanError
from loadtest.report import Spread
from loadtest.requests.results import CONSTANT, HEARTH, RELAY, UPSTREAM, Plan, Results
from loadtest.requests.run import OneToken, recipes
from loadtest.rounds import Rounds
from loadtest.turn import Turn


def turn(cpu_us: float, wrong: int = 0) -> Turn:
    return Turn(100, wrong, Spread(1, 1, 1, 1), 50, cpu_us, 0.2)


def results(wrong: int = 0) -> Results:
    plan = Plan(rounds=1)
    rounds: Rounds[Turn] = Rounds(plan.names)
    for name, cpu_us in ((HEARTH, 500), (RELAY, 1000), (CONSTANT, 100), (UPSTREAM, 50)):
        rounds.note(name, turn(cpu_us, wrong))
    return Results(plan, rounds)


def test_a_core_is_what_the_server_used_and_not_the_machine() -> None:
    told = results().text().replace(" ", "")
    assert turn(500).per_core == 2000
    assert "|hearth|50|2000|500|" in told and "|hearth|2(2..2)|0.2(0.2..0.2)|0.1(0.1..0.1)|" in told


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_answer_without_a_token_fails_the_run(wrong: int) -> None:
    assert results(wrong).failed == bool(wrong)


@pytest.mark.parametrize(
    ("head", "good"),
    [("200 OK\r\nx-cache: BYPASS", True), ("200 OK", True), ("200 OK\r\nx-cache: HIT", False), ("503 No", False)],
)
def test_an_answer_of_the_cache_is_none_of_an_engine(head: str, good: bool) -> None:
    answer, body = OneToken(), b'{"content":"word"}'
    assert answer.feed(f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body, 0.1)
    assert answer.good == good


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"streams": 5000}])
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Plan(**wrong)


def test_every_relay_stands_in_front_of_an_instant_upstream(tmp_path: Path) -> None:
    made = {recipe.name: recipe for recipe in recipes(Plan(against=["starlette"]), tmp_path)}
    assert list(made) == [HEARTH, RELAY, "starlette", CONSTANT, UPSTREAM] == Plan(against=["starlette"]).names
    assert made[RELAY].behind == made["starlette"].behind == made[UPSTREAM]


@pytest.mark.parametrize("name", ["floor", "nobody", "litellm"])
def test_a_peer_that_is_no_relay_or_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        recipes(Plan(against=[name], peers=tmp_path), tmp_path)


def test_all_of_them_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--streams 2 --rounds 1 --seconds 0.2".split()
    out = ["--json", str(tmp_path / "requests.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "requests", *size, *out])
    assert command.main() == 0

    told = json.loads((tmp_path / "requests.json").read_text())
    assert [one["asked"] for one in told] == [HEARTH, RELAY, CONSTANT, UPSTREAM]
    assert all(one["answers"] > 0 and one["wrong"] == 0 for one in told)
    assert "ratio of the requests per core" in capsys.readouterr().out
