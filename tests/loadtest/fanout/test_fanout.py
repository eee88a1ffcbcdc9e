"""One generation and its readers beside a bare writer, from the command line to the ratios."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.fanout.plan import Plan
from loadtest.fanout.report import text
from loadtest.fanout.run import BARE, HEARTH, Results
from loadtest.fanout.turn import Turn
from loadtest.plan import PlanError
from loadtest.report import Spread


def turn(frames: int, client: float = 0.5, faults: dict[str, int] | None = None) -> Turn:
    return Turn(10, 1.0, frames, frames, 5.0, 0.9, client, 0.0, Spread.of(()), faults or {})


def results(ours: Turn, bare: Turn) -> Results:
    both = Results()
    both.note(BARE, bare)
    both.note(HEARTH, ours)
    return both


def test_the_ratio_is_to_the_bare_writer_of_the_same_round() -> None:
    both = results(turn(50), turn(100))
    both.note(BARE, turn(200))
    both.note(HEARTH, turn(50))

    assert both.ratios(10, lambda one: one.frames_per_second) == [0.5, 0.25]
    assert "0.38 (0.25..0.50)" in text(both) and not both.failed


def test_one_reader_that_missed_something_fails_the_run() -> None:
    both = results(turn(50, faults={"lost": 1}), turn(100))

    assert both.failed and "FAILED: 10 readers, hearth, round 1: {'lost': 1}" in text(both)
    assert results(turn(0), turn(100)).failed


def test_readers_at_their_limit_are_warned_of() -> None:
    assert "WARNING: 10 readers, bare, round 1" in text(results(turn(50), turn(100, client=0.95)))


@pytest.mark.parametrize("wrong", [{"levels": (20_000,)}, {"paced": (0,)}, {"rounds": 0}, {"seconds": 100}])
def test_a_plan_is_bounded(wrong: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="at most"):
        Plan(**wrong)  # type: ignore[arg-type]


def test_every_reader_gets_every_token_from_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As fast as it goes; and at a pace, with the time from each token to its arrival."""
    size = "--readers 3 --rounds 1 --seconds 0.2 --paced 5 --token-ms 20 --paced-seconds 0.3".split()
    out = ["--json", str(tmp_path / "fanout.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "fanout", *size, *out])
    assert command.main() == 0

    told = {one["server"]: one for one in json.loads((tmp_path / "fanout.json").read_text())}
    assert set(told) == {"bare", "hearth", "paced"}
    assert all(one["frames"] > 0 and one["faults"] == {} for one in told.values())
    assert told["bare"]["frames"] == told["bare"]["events"] and told["bare"]["lag"]["p50"] is None
    assert 0 < told["paced"]["lag"]["p50"] <= told["paced"]["lag"]["most"] < 10_000
    assert "hearth/bare of the same round" in capsys.readouterr().out
