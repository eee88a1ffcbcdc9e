"""A small crowd on one key of a real server, from the command line to the verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command


def test_a_crowd_spends_no_more_than_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And when all have left, nothing is reserved, and the usage adds up to what was spent."""
    size = "--scenes file --streams 10 --seconds 1 --budget 0.2 --token-ms 10".split()
    out = ["--json", str(tmp_path / "budget.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "budget", *size, *out])
    status = command.main()

    [told] = json.loads((tmp_path / "budget.json").read_text())
    assert (status, told["broken"], told["reserved"]) == (0, [], "0")
    assert 0 < float(told["spent"]) <= float(told["most"]) <= float(told["limit"]) == 0.2
    assert told["looks"] > 0 and told["spent"] == told["used"] and told["booked"] == told["generated"] > 0
    assert "most at once" in capsys.readouterr().out


def test_an_unknown_scene_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", "loadtest budget --scenes nowhere".split())
    with pytest.raises(SystemExit):
        command.main()
    assert "there is no scene nowhere; there are file, redis, replicas, killed" in capsys.readouterr().err
