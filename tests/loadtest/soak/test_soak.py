"""The soak, for some seconds: who comes, what is counted, and what fails it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.chaos.tally import Part
from loadtest.plan import PlanError
from loadtest.soak.plan import KINDS, SCENES, Plan
from loadtest.soak.plot import svg
from loadtest.soak.probe import Sample
from loadtest.soak.report import text
from loadtest.soak.verdict import Verdict

REST = Sample(0, 80, 60, 90_000, 15, 25, 10, 0, 0, 1, 5, 8, 0.5, 0, 0)


def verdict(after: Sample = REST, growth: float = 0.0) -> Verdict:
    """An hour of a server in the memory of which so many objects more come each hour."""
    visits = Part("memory", whole=Counter({"native": 10}))
    samples = [
        REST._replace(seconds=30.0 * number, objects=90_000 + growth * number / 120, cpu_s=15.0 * number)
        for number in range(120)
    ]
    kinds = [{"list": 10 * number} for number in range(122)]
    return Verdict(SCENES["memory"], visits, REST, samples, after, kinds)


def test_a_server_that_stays_as_it_is_passes() -> None:
    judged = verdict()
    assert not judged.failed
    assert {trend.verdict for trend in judged.trends} == {"steady"}
    assert "0.50 of a core" in text(judged)


def test_what_grows_fails_and_its_type_is_named() -> None:
    judged = verdict(growth=100_000)
    assert judged.failed
    assert [trend.bound.name for trend in judged.trends if trend.verdict == "grows"] == ["objects"]
    assert "590 list" in text(judged)


@pytest.mark.parametrize("left", ["tasks", "sockets", "descriptors", "running", "readers"])
def test_what_is_left_behind_fails(left: str) -> None:
    judged = verdict(REST._replace(**{left: 100}))
    assert judged.failed
    assert f"LEFT BEHIND {left}" in text(judged)


def test_a_broken_answer_fails_and_so_does_none_at_all() -> None:
    broken, empty = verdict(), verdict()
    broken.visits.broken["native different"] += 1
    empty.visits.whole.clear()
    assert broken.failed
    assert empty.failed


def test_the_plot_has_a_panel_for_each_series_and_two_lines_for_each_scene() -> None:
    both = [verdict(), verdict()]
    both[0].scene = SCENES["redis"]
    drawn = svg(both)
    redis, memory = (len(each.trends) for each in both)
    # With what is remembered, and without; Redis's panels are empty for who has none.
    assert drawn.count("<polyline") == 4 * redis
    assert redis > memory
    assert drawn.startswith("<svg")


def test_who_comes_is_decided_by_the_seed() -> None:
    def visits(seed: int) -> list[str]:
        plan = Plan(seed)
        return [plan.kind(plan.chance(place, 1)) for place in range(500)]

    assert visits(1) == visits(1) != visits(2)
    assert set(visits(1)) >= set(KINDS) - {"prediction"}


@pytest.mark.parametrize("wrong", [{"streams": 0}, {"seconds": 1e6}, {"tokens": (1, 20_000)}, {"token_ms": 0}])
def test_a_plan_is_bounded(wrong: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="at most"):
        Plan(**wrong)  # type: ignore[arg-type]


def test_every_kind_of_visit_is_answered_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In both scenes, for so long that each kind has come. What is kept stays until a cut reader is back."""
    monkeypatch.setattr("loadtest.soak.plan.KINDS", dict.fromkeys(KINDS, 1))
    monkeypatch.setattr("loadtest.soak.plan.KEPT_S", 3)
    size = "--seconds 4 --streams 44 --tokens 5:15 --token-ms 20 --every 1".split()
    files = {name: tmp_path / f"soak.{name}" for name in ("json", "svg")}
    out = ["--json", str(files["json"]), "--svg", str(files["svg"]), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["loadtest", "soak", *size, *out])
    status = command.main()

    told = json.loads(files["json"].read_text())
    assert [one["scene"] for one in told] == ["redis", "memory"]
    assert [one["violations"] for one in told] == [[], []]
    assert status == 0, capsys.readouterr().out
    for one in told:
        assert set(one["whole"]) == set(KINDS)
        assert one["samples"][-1]["runs"] > 20
        assert one["after"]["running"] == one["after"]["readers"] == 0
    assert files["svg"].read_text().startswith("<svg")
