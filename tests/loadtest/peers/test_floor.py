"""The floor and the bare relay, as processes: what is asked for comes, to the last frame."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.arrivals import Closed
from loadtest.lengths import Lengths
from loadtest.peers.floor import TOKEN, ending
from loadtest.peers.recipes import Stage, floor, starlette
from loadtest.plan import Plan, Shape
from loadtest.runs import run
from loadtest.servers import Recipe, Server, running
from loadtest.surfaces.openai import Completion
from loadtest.workloads import Distinct

FAKE = Path(__file__).parent.parent / "fake_openai.py"


def load(model: str, tokens: int, requests: int, streams: int, seconds: float = 60.0) -> Plan:
    return Plan(Shape(model), Distinct(tokens=Lengths.fixed(tokens)), Closed(streams), requests, seconds)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, {}, tmp_path)


@pytest.fixture
def bare(stage: Stage, tmp_path: Path) -> Iterator[Server]:
    with running(floor(stage), tmp_path) as server:
        yield server


def test_frames_are_whole_events_in_chunks_of_their_length() -> None:
    """Any reader of HTTP understands them."""
    answer = Completion(b"")
    answer.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 0.0)
    for frame in [TOKEN] * 3 + ending(3):
        answer.feed(frame, 1.0)

    outcome = answer.outcome
    assert (outcome.error, outcome.events, outcome.tokens, answer.ended) == (None, 3, 3, True)


def test_each_frame_is_one_send(bare: Server) -> None:
    """One for each token, one before them (with the head) and three after: no two are sent as one."""
    sent = sends(bare.pid)
    figures = run(load("bench", 50, 40, streams=8), bare.url, bare.pid)

    assert (figures.errors, figures.tokens, figures.events_per_request) == ({}, 40 * 50, 50)
    assert sends(bare.pid) - sent == 40 * (1 + 50 + 3)


def sends(pid: int) -> int:
    """Return how often a process has written so far."""
    [line] = [line for line in Path(f"/proc/{pid}/io").read_text().splitlines() if line.startswith("syscw")]
    return int(line.split()[1])


def test_a_reader_that_leaves_stops_nobody_else(bare: Server) -> None:
    left = run(load("bench", 100_000, 4, streams=4, seconds=0.2), bare.url, None)
    figures = run(load("bench", 5, 4, streams=2), bare.url, None)

    assert left.errors == {"out_of_time": 4}
    assert (figures.errors, figures.tokens) == ({}, 20)


def test_streams_go_in_step_at_a_pace(tmp_path: Path, stage: Stage) -> None:
    """Twenty frames of ten milliseconds take a fifth of a second, however many streams there are."""
    fast = floor(stage)
    paced = Recipe("paced", [*fast.command, "--pace-ms", "10"], fast.ready, fast.environment)
    with running(paced, tmp_path) as server:
        begun = time.perf_counter()
        figures = run(load("bench", 20, 8, streams=8), server.url, None)

    assert figures.errors == {} and figures.tokens == 8 * 20
    assert time.perf_counter() - begun >= 20 * 0.010


def test_a_relay_is_measured_apart_from_the_server_behind_it(tmp_path: Path, stage: Stage) -> None:
    """The bytes go through; `front` is the relay alone, and both are in the total."""
    fake = Recipe("fake", [sys.executable, str(FAKE), "{port}"], "/health")
    made = starlette(stage)
    relay = Recipe(made.name, made.command, made.ready, made.environment, behind=fake)
    with running(relay, tmp_path) as server:
        assert server.behind is not None and server.behind != server.pid
        figures = run(load("demo", 30, 30, streams=4), server.url, server.pid, behind=server.behind)

    assert (figures.errors, figures.tokens) == ({}, 30 * 30)
    assert [(each.pid, each.front) for each in figures.processes] == [(server.pid, True), (server.behind, False)]
    assert [each.behind for each in figures.processes] == [False, True]
    assert figures.total_us_per_token > figures.front_us_per_token > 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in (server.pid, server.behind))
    assert {"starlette.log", "starlette-behind.log"} <= {file.name for file in tmp_path.iterdir()}


def test_a_relay_passes_on_what_went_wrong(tmp_path: Path, stage: Stage) -> None:
    """With the status it had."""
    made = starlette(stage)
    fake = Recipe("fake", [sys.executable, str(FAKE), "{port}"], "/health")
    with running(Recipe(made.name, made.command, made.ready, made.environment, behind=fake), tmp_path) as server:
        figures = run(load("busy", 128, 2, streams=1), server.url, None)

    assert figures.errors == {"429 rate_limited": 2}
