"""The command line: python -m loadtest compare."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from loadtest import servers
from loadtest.compare.results import Results
from loadtest.compare.saved import saved
from loadtest.compare.tables import text
from loadtest.compare.turns import Comparison, compare
from loadtest.html import files
from loadtest.machine import called
from loadtest.peers.recipes import PEERS, Stage, recipe
from loadtest.plan import PlanError
from loadtest.surfaces.table import SURFACES


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    some = commands.add_parser("compare", help="Hearth beside others, turn by turn")
    some.set_defaults(do=_compare)
    some.add_argument(
        "names", nargs="*", metavar="SERVER", help=f"of {', '.join(PEERS)}; hearth and vllm if none is named"
    )
    some.add_argument("--against", metavar="SERVER", help="whom the others are measured against, if not the last one")
    some.add_argument("--peers", type=Path, default=Path(), metavar="FOLDER", help="where `peers setup` put them")
    some.add_argument("--model", type=Path, help="a folder that vLLM can load")
    some.add_argument("--levels", type=_levels, default=[1, 8, 32, 128], help="streams at a time, as in 1,8,32,128")
    some.add_argument("--rounds", type=int, default=3)
    some.add_argument("--max-tokens", type=int, default=128)
    some.add_argument("--requests-per-stream", type=int, default=4)
    some.add_argument("--seconds", type=float, default=300.0, help="what is unfinished by then is given up, in a run")
    some.add_argument("--temperature", type=float)
    some.add_argument("--surface", choices=SURFACES, default="chat")
    some.add_argument("--clients", type=int, default=1, metavar="N", help="processes that make the load")
    some.add_argument("--engine", default=servers.ENGINE, help="options of the engine, which all of them run")
    some.add_argument("--files", type=Path, nargs="+", metavar="FILE", help="measure nothing: show what --json left")
    some.add_argument("--json", type=Path, help="write every run to this file")
    some.add_argument("--out", type=Path, help="folder for results.json, table.md and the servers' logs")
    files.add(some)


def _compare(arguments: argparse.Namespace) -> int:
    results = _saved(arguments) if arguments.files else _measured(arguments)
    print(text(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results.as_json()), encoding="utf-8")
    files.write(results, arguments)
    return 1 if results.failed else 0


def _saved(arguments: argparse.Namespace) -> Results:
    results = saved(arguments.files)
    if arguments.against not in (None, *results.names):
        raise PlanError(f"{arguments.against} is not among the servers: {', '.join(results.names)}")
    return replace(results, against=arguments.against or results.against)


def _measured(arguments: argparse.Namespace) -> Results:
    if not arguments.model:
        raise PlanError("--model says what they serve, and is needed unless --files are shown")
    names = arguments.names or ["hearth", "vllm"]
    options = dict(parse_qsl(arguments.engine, strict_parsing=True))
    stage = Stage(arguments.model.resolve(), options, arguments.peers.resolve())
    comparison = Comparison(
        recipes=[recipe(name, stage) for name in names],
        against=arguments.against or names[-1],
        levels=arguments.levels,
        rounds=arguments.rounds,
        say=lambda said: print(said, file=sys.stderr, flush=True),
        command=called(),
        max_tokens=arguments.max_tokens,
        requests_per_stream=arguments.requests_per_stream,
        seconds=arguments.seconds,
        temperature=arguments.temperature,
        surface=arguments.surface,
        clients=arguments.clients,
    )
    return compare(comparison, arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-")))


def _levels(text: str) -> list[int]:
    return [int(level) for level in text.split(",")]
