"""Two replicas and a Redis, measured from the command line to the figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.crowd.plan import Crowd
from loadtest.crowd.storm import storm


def test_hops_are_measured_for_every_event_at_every_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And Redis is asked for what a token costs it."""
    size = "--logs 3 --readers 6 --token-ms 20 --seconds 0.5".split()
    out = ["--json", str(tmp_path / "hops.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "hops", *size, *out])
    status = command.main()

    [told] = json.loads((tmp_path / "hops.json").read_text())
    assert (status, told["missing"], told["errors"]) == (0, 0, {})
    assert told["hops"] == 2 * told["tokens"] > 0
    assert told["hop"]["most"] < 5000 and told["floor"]["most"] >= 0
    assert 0.5 < told["commands"]["publish"] < 2
    assert set(told["cpu"]) == {"writer", "reader", "redis"}
    assert "6 readers of 3 logs" in capsys.readouterr().out
    assert {log.name for log in (tmp_path / "logs").iterdir()} == {"writer.log", "reader.log", "redis.log"}


def test_a_storm_loses_nothing_and_everybody_catches_up(tmp_path: Path) -> None:
    """A replica goes down; its readers come back to the other one, and its answers end there."""
    weathered = storm(Crowd(logs=3, readers=9, token_ms=20, seconds=4), patient=False, logs=tmp_path)

    assert not weathered.failed and weathered.whole == 9
    assert weathered.requests >= 9
    assert 0 < weathered.answered.p50 <= weathered.caught_up.most < 10_000
    assert "gone on with here" in (tmp_path / "at-once" / "reader.log").read_text()
    assert "9 readers of 3 logs" in weathered.text()
