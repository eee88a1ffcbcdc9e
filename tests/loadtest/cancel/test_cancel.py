"""Streams that are stopped, and their engine that is watched, from the command line to the figures."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.cancel.results import AT_ONCE, RANDOM, Act, Plan, Results
from loadtest.cancel.streams import frame
from loadtest.cancel.witness import Witness, aborts
from loadtest.plan import PlanError
from tests.waiting import until

ID = "gen_" + "0a" * 16


def results(*acts: Act, empty_s: float | None = 0.1, failures: tuple[str, ...] = ()) -> Results:
    return Results(Plan(), acts, 0, failures, empty_s, 0.5, 0.1)


def test_every_place_has_its_turn_before_one_has_another() -> None:
    stops = list(Plan(streams=8, rate=100, seconds=2).stops())
    assert stops == list(Plan(streams=8, rate=100, seconds=2).stops())
    assert 150 < len(stops) < 250 and 0 < stops[0].at < stops[-1].at < 2
    for start in range(0, len(stops) - 8, 8):
        assert {stop.place for stop in stops[start : start + 8]} == set(range(8))


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        (results(Act(RANDOM, "close", 0.01)), False),
        (results(Act(RANDOM, "close", 0.01), Act(AT_ONCE, "DELETE", None)), True),
        (results(Act(RANDOM, "close", 0.01), empty_s=None), True),
        (results(Act(RANDOM, "close", 0.01), failures=("close: was not begun",)), True),
        (results(), True),
    ],
)
def test_a_stream_that_goes_on_fails_the_run(found: Results, failed: bool) -> None:
    assert found.failed == failed


def test_the_table_tells_each_way_and_what_was_not_seen() -> None:
    told = results(*[Act(RANDOM, "close", ms / 1000) for ms in range(1, 101)], Act(RANDOM, "DELETE", None)).text()
    assert "| at random | close  | 100     | 50.0   | 99.0   | 100.0   | 0        |" in told
    assert "| at random | any    | 101     | 50.0   | 99.0   | 100.0   | 1        |" in told


@pytest.mark.parametrize("wrong", [{"streams": 1000}, {"rate": 0}, {"seconds": 1000}])
def test_a_plan_is_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be from"):
        Plan(**wrong)


def test_an_abort_is_read_with_its_own_time_or_when_it_was_seen() -> None:
    assert aborts(f"aborted {ID} at 12.5".encode(), 99.0) == {ID: 12.5}
    assert aborts(f"INFO 11-22 [async_llm.py:5] Aborted request(s) {ID}-0-01234567.".encode(), 99.0) == {ID: 99.0}
    assert aborts(f"INFO Added request {ID}-0-01234567.".encode(), 99.0) == {}


async def test_a_log_is_followed_from_its_end_on(tmp_path: Path) -> None:
    """Also a line that comes in two pieces."""
    log, other = tmp_path / "engine.log", ID.replace("0a", "0b")
    log.write_text(f"aborted {ID}\n")
    witness = Witness(log)
    watching = asyncio.create_task(witness.watch())
    begun = perf_counter()
    with log.open("a", buffering=1) as sink:
        await asyncio.sleep(0)
        sink.write(f"Aborted {other[:10]}")
        sink.flush()
        await asyncio.sleep(0)
        sink.write(f"{other[10:]}\n")
        await until(lambda: other in witness.seen)
    watching.cancel()
    assert list(witness.seen) == [other] and begun <= witness.seen[other] <= perf_counter()


@pytest.mark.parametrize("text", ["short", "x" * 200])
def test_a_frame_is_masked_and_says_its_length(text: str) -> None:
    said = frame({"t": text})
    size = said[1] & 0x7F
    rest = said[2:] if size < 126 else said[4:]
    assert said[0] == 0x81 and said[1] & 0x80 and rest[:4] == bytes(4)
    assert json.loads(rest[4:]) == {"t": text}
    assert len(rest) - 4 == (size if size < 126 else int.from_bytes(said[2:4], "big"))


def test_an_engine_hears_of_every_way_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = "--streams 12 --rate 30 --seconds 1".split()
    out = ["--json", str(tmp_path / "cancel.json"), "--out", str(tmp_path / "logs")]
    monkeypatch.setattr(sys, "argv", ["loadtest", "cancel", *size, *out])
    assert command.main() == 0

    *acts, of_all = json.loads((tmp_path / "cancel.json").read_text())
    assert {act["way"] for act in acts} == {"close", "DELETE", "WebSocket"}
    assert sum(act["manner"] == AT_ONCE for act in acts) == 12
    assert all(0 < act["seconds"] < 5 for act in acts)
    assert of_all["failures"] == [] and 0 < of_all["empty_s"] < 5
    assert "not seen" in capsys.readouterr().out
