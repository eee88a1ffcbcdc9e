"""Idle connections of every kind, from the command line to the KB of each."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.idle.explain import Share, shares
from loadtest.idle.memory import Memory
from loadtest.idle.plan import KINDS, SSE, Plan
from loadtest.idle.report import text
from loadtest.idle.run import BARE, HEARTH, Results, Turn
from loadtest.plan import PlanError


def turn(base: float, each: float) -> Turn:
    return Turn([(count, Memory(base + each * count, base + each * count, 0)) for count in (0, 100, 300)])


def test_a_connection_is_what_came_between_the_levels() -> None:
    """What the first ones found free is not their saving."""
    roomy = Turn([(0, Memory(0, 0, 0)), (100, Memory(400, 400, 0)), (300, Memory(2400, 2400, 0))])
    assert (roomy.each().uss, roomy.each_of_all().uss) == (10, 8)
    alone = Turn([(0, Memory(100, 100, 0)), (100, Memory(400, 400, 0))])
    assert alone.each() == alone.each_of_all() == Memory(3, 3, 0)


def test_more_is_compared_within_a_round() -> None:
    results = Results(Plan((100, 300), (SSE,)))
    results.turns[SSE, BARE] = [turn(1000, 8), turn(1000, 10)]
    results.turns[SSE, HEARTH] = [turn(5000, 20), turn(5000, 16)]

    assert [more.uss for more in results.more(SSE)] == [12, 6]
    assert "9.0 (6.0..12.0)" in text(results)
    assert len(results.as_json()) == 2 * 2 * 3


def test_an_object_of_a_reader_is_one_that_came_with_it() -> None:
    before, after = {"Task": [5, 500], "list": [2, 100]}, {"Task": [25, 2500], "list": [2, 100], "Future": [10, 3000]}
    assert shares(before, after, 10) == [Share("Future", 1, 300), Share("Task", 2, 200), Share("list", 0, 0)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"levels": (20_000,)}, "at most"),
        ({"levels": (3, 2)}, "must grow"),
        ({"levels": ()}, "must grow"),
        ({"kinds": ("carrier pigeon",)}, "no kind 'carrier pigeon'"),
        ({"rounds": 0}, "at most"),
    ],
)
def test_a_plan_is_bounded(wrong: dict[str, tuple[int, ...]], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Plan(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_held_open_at_both(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = f"--connections 20,60 --kinds {kind} --rounds 1 --settle-s 0.05".split()
    out = ["--json", str(tmp_path / "idle.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "idle", *size, *out])
    assert command.main() == 0

    told = json.loads((tmp_path / "idle.json").read_text())
    assert {(one["kind"], one["server"], one["connections"]) for one in told} == {
        (kind, side, count) for side in (BARE, HEARTH) for count in (0, 20, 60)
    }
    assert all(10_000 < one["uss"] <= one["pss"] for one in told)
    assert "KB more than uvicorn's own" in capsys.readouterr().out


def test_a_reader_is_explained_by_its_objects_and_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--connections 60 --kinds sse --settle-s 0.2 --explain".split()
    out = ["--json", str(tmp_path / "explained.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "idle", *size, *out])
    assert command.main() == 0

    [bare, ours] = json.loads((tmp_path / "explained.json").read_text())
    assert (bare["server"], ours["server"]) == (BARE, HEARTH)
    transports = [one["count"] for each in (bare, ours) for one in each["types"] if one["of"] == "TCPTransport"]
    assert transports == [pytest.approx(1, abs=0.2)] * 2
    sizes = [sum(line["size"] for line in each["lines"]) for each in (bare, ours)]
    assert 1_000 < sizes[0] < sizes[1]
    assert "sse reader of hearth" in capsys.readouterr().out
