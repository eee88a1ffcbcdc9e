"""Every surface of a real server under a small load: all answers whole, on purpose broken ones too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest import __main__ as command
from loadtest.arrivals import Arrivals, Closed, Poisson
from loadtest.figures import Figures
from loadtest.lengths import Lengths
from loadtest.plan import Harms, Plan, Shape
from loadtest.record import Objective
from loadtest.runs import run
from loadtest.servers import MODEL, Recipe, Server, running
from loadtest.surfaces.table import SURFACES
from loadtest.workloads import Distinct

TOKENS = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    source = f"{MODEL}=scripted:?token_ms=5&tokens=1000000"
    told = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--model", source]
    with running(Recipe("hearth", told, "/readyz"), tmp_path_factory.mktemp("served")) as ready:
        yield ready


def planned(surface: str, requests: int = 12, arrivals: Arrivals | None = None, **more: Any) -> Plan:
    work = Distinct(tokens=Lengths.fixed(TOKENS))
    loop = Closed(6) if arrivals is None else arrivals
    return Plan(Shape(MODEL), work, loop, requests, seconds=30, surface=surface, **more)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_answer_is_whole_on_every_surface(surface: str, server: Server) -> None:
    """Each of its tokens is counted, and the server's CPU is priced by them."""
    figures = run(planned(surface, generations=2), server.url, server.pid)

    assert (figures.errors, figures.requests, figures.tokens) == ({}, 12, 12 * TOKENS)
    assert figures.first.count == figures.total.count == 12
    assert 12 <= figures.events <= figures.tokens and figures.gap.count > 0
    assert figures.bytes > figures.tokens and figures.us_per_frame > 0


@pytest.mark.parametrize("surface", ["websocket", "replicate", "watch"])
def test_who_was_cut_goes_on_and_misses_nothing(surface: str, server: Server) -> None:
    """An answer in two parts is whole, with every event once; where it began is no matter."""
    harms = Harms(cut=1, cut_bytes=2_500)
    figures = run(planned(surface, requests=24, harms=harms), server.url, server.pid)

    assert figures.errors == {}
    assert figures.purpose.get("resumed", 0) > 0
    assert figures.purpose.get("resumed", 0) + figures.purpose.get("cut", 0) <= 24
    assert figures.total.count == 24 - figures.purpose.get("cut", 0)


@pytest.mark.parametrize("surface", SURFACES)
def test_who_leaves_is_counted_apart(surface: str, server: Server) -> None:
    """Over WebSocket and as a prediction with a word, elsewhere without one. It is no error."""
    figures = run(planned(surface, harms=Harms(cancel=1)), server.url, server.pid)

    assert figures.errors == {}
    assert figures.purpose["canceled"] + figures.total.count == 12
    assert figures.purpose["canceled"] > 0


@pytest.mark.parametrize(
    ("surface", "code"),
    [
        ("chat", "404 unknown_model"),
        ("completions", "404 unknown_model"),
        ("websocket", "unknown_model"),
        ("replicate", "404"),
    ],
)
def test_a_refusal_has_the_servers_own_code(surface: str, code: str, server: Server) -> None:
    """As far as that surface tells one."""
    plan = Plan(Shape("nobody"), Distinct(), Closed(2), 3, surface=surface)

    assert run(plan, server.url, None).errors == {code: 3}


def test_several_processes_make_one_load(server: Server) -> None:
    """All requests, each once; every process' own CPU is told."""
    plan = planned("chat", requests=20, arrivals=Poisson(100), objective=Objective(5, 5))
    figures = run(plan, server.url, server.pid, clients=2)

    assert (figures.errors, figures.requests, figures.tokens) == ({}, 20, 20 * TOKENS)
    assert len(figures.clients) == 2 and 0 < figures.client_limit <= figures.client_share
    assert figures.goodput is not None and figures.goodput.share == 1
    assert sum(second.started for second in figures.series) == 20
    assert figures.series[-1].running == 0


def test_a_trace_from_the_command_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many, as long and when it was recorded; the figures can be read again."""
    recorded, kept = tmp_path / "trace.csv", tmp_path / "figures.json"
    recorded.write_text("seconds,prompt words,output tokens\n0,5,10\n0.1,8,20\n0.1,2,3\n")
    line = f"run --url {server.url} --model {MODEL} --trace {recorded} --json {kept} --objective 5:5 --progress"
    assert command.main(line.split()) == 0

    told = json.loads(kept.read_text())
    assert Figures.from_json(told).tokens == 33
    assert told["plan"]["requests"] == 3
    out = capsys.readouterr().out
    assert "3 requests as recorded, over 0.1 s" in out and "goodput 100.0%" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--talks 2:1:20 --streams 4 --requests 8", "talks of 2 turns, 1 system prompts of 20 words"),
        ("--zipf 3:1.2 --burst 4:0.05 --requests 8", "Zipf over 3 prompts, skew 1.2"),
        ("--same --ramp 20:80:0.2 --requests 8", "one prompt; words 16"),
        ("--prompt-words 4:9 --max-tokens lognormal:9:0.5:2:20 --rate 50 --requests 8", "words 4 to 9, uniform"),
        ("--surface watch --generations 2 --rate 50 --for 0.2", "watch; open loop"),
    ],
)
def test_a_run_says_what_it_asked(words: str, said: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line above its figures."""
    line = f"run --url {server.url} --model {MODEL} --max-tokens 8 {words}"
    assert command.main(line.split()) == 0

    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--trace /nowhere.csv", "cannot be read"),
        ("--rate 0", "rate must be more than 0"),
        ("--clients 0", "clients must be"),
        ("--cancel 2", "from 0 to 1"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is sent."""
    assert command.main(["run", "--url", "http://127.0.0.1:1", *words.split()]) == 2
    assert said in capsys.readouterr().err
