"""A replay at a real server, from the command line to the figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest import __main__ as command
from loadtest.cache.curve import GRID, Point, curve
from loadtest.cache.plot import svg
from loadtest.cache.replay import Told
from loadtest.cache.trial import Stage, Trial
from loadtest.cache.workload import Workload
from loadtest.spent import Spent, parse


def test_what_was_spent_is_read_from_metrics() -> None:
    text = (
        "# HELP hearth_generation_seconds From the call to its end.\n"
        'hearth_generation_seconds_bucket{le="1.0",model="a"} 3.0\n'
        'hearth_generation_seconds_count{model="a"} 3.0\n'
        'hearth_generation_seconds_sum{model="a"} 1.5\n'
        'hearth_generation_seconds_sum{model="b"} 0.5\n'
        'hearth_prompt_tokens_total{model="a"} 7.0\n'
        'hearth_generated_tokens_total{model="a"} 9.0\n'
    )
    assert parse(text) == Spent(3, 2, 7, 9)
    assert parse(text).less(Spent(1, 1, 1, 1)) == Spent(2, 1, 6, 8)


def test_a_trial_counts_outcomes_and_uncompresses_the_engine() -> None:
    """What failed is an error, and no outcome."""
    told = [Told("HIT", "plain", 0.001), Told("HIT", "plain", 0.003), Told("MISS", "streamed", 0.1)]
    one = Trial.of(60, [*told, Told("", "plain", 0, "status 503")], Spent(1, 2.0, 8, 24), scale=30)

    assert (one.asks, one.outcomes, one.errors) == (3, {"HIT": 2, "MISS": 1}, {"status 503": 1})
    assert one.engine_s == 60
    assert one.share("HIT", "JOIN") == pytest.approx(2 / 3)
    assert one.first["HIT", "plain"].most == pytest.approx(3)
    assert json.loads(json.dumps(one.as_json(), allow_nan=False))["first"]["MISS streamed"]["p50"] == pytest.approx(100)


def test_time_is_compressed_for_the_engine_too() -> None:
    stage = Stage(prefill_ms=300, token_ms=30, tokens=11, compress=30)
    assert stage.source.startswith("scripted:?prefill_ms=10&token_ms=1&")
    assert (stage.answer_s, stage.scale) == (0.6, 30)
    assert Stage(vllm=True).scale == 1


def test_the_curve_tells_what_lies_within_the_usual_claim(tmp_path: Path) -> None:
    """Without a replay it needs no server."""
    told = curve(Workload(questions=100, seconds=500), Stage(), [], tmp_path, say=lambda _: None)

    assert set(told.simulated) == set(GRID) and not told.failed
    for skew in {point.skew for point in GRID}:
        by_ttl = [told.simulated[point] for point in GRID if point.skew == skew]
        assert by_ttl == sorted(by_ttl)
    assert told.simulated[Point(1.4, 3600)] > told.simulated[Point(0.6, 3600)]
    marked = told.text().count("% *")
    assert f"usually claimed: {marked} of {len(GRID)}" in told.text()
    assert len(json.loads(json.dumps(told.as_json()))["simulated"]) == len(GRID)


def test_the_picture_has_a_line_for_each_skew_and_a_ring_for_each_replay() -> None:
    """It is XML, and more is higher up."""
    share = {point: point.skew / 2 for point in GRID}
    picture = ElementTree.fromstring(svg(share, {GRID[0]: 0.25}))

    lines = [line.attrib["points"] for line in picture.iterfind(".//{*}polyline")]
    heights = [float(line.split()[0].split(",")[1]) for line in lines]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == len({point.skew for point in GRID})
    assert len(picture.findall(".//{*}circle[@class='ring c5']")) == 1


def test_a_cache_spares_runs_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On and off, the same asks."""
    size = "--questions 5 --rate 1 --seconds 60 --compress 200 --tokens 3 --prefill-ms 100 --token-ms 10"
    out = ["--json", str(tmp_path / "cache.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "cache", *size.split(), *out])
    assert command.main() == 0

    told = json.loads((tmp_path / "cache.json").read_text())
    on, off = told["on"], told["off"]
    asks = sum(off["outcomes"].values())
    assert off["outcomes"] == {"BYPASS": asks} and off["spent"]["runs"] == asks
    assert on["outcomes"]["HIT"] > on["outcomes"]["MISS"] > 0
    assert on["spent"]["runs"] == on["outcomes"]["MISS"] + on["outcomes"]["BYPASS"] < asks
    assert "Zipf mix of 5 questions" in capsys.readouterr().out
