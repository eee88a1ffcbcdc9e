"""The guard of what a token costs: it fails when somebody makes the hot path dearer. The limits are in scenes.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.guard import run
from loadtest.guard.run import guard
from loadtest.guard.scenes import SCENES
from loadtest.plan import PlanError


def test_a_token_costs_no_more_than_so_many_bare_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "guard.json"
    monkeypatch.setattr(sys, "argv", ["loadtest", "guard", "--out", str(tmp_path), "--json", str(figures)])
    status = command.main()
    told = capsys.readouterr().out
    assert status == 0, told
    assert [one["name"] for one in json.loads(figures.read_text())] == [scene.name for scene in SCENES]


def test_a_server_that_costs_more_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is put below any server."""
    small = SCENES[0]._replace(readers=4, frames=5, limit=0.1)
    monkeypatch.setattr(run, "SCENES", [small])
    [verdict] = guard(1, tmp_path, lambda said: None)
    assert verdict.failed
    # All tokens of all readers, each in a frame of its own, and nothing that is not there.
    assert 4 * 5 <= verdict.hearth[0].frames <= 4 * (5 + 3)
    assert verdict.floor[0].frames == 4 * 5


@pytest.mark.parametrize("rounds", [0, 21])
def test_a_guard_is_bounded(rounds: int, tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        guard(rounds, tmp_path, lambda said: None)
