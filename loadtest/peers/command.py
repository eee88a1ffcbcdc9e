"""The command line: python -m loadtest peers."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl

from loadtest.arrivals import Closed
from loadtest.figures import Figures
from loadtest.lengths import Lengths
from loadtest.peers.recipes import PEERS, Stage, recipe, unmet
from loadtest.peers.setup import NEEDS, set_up
from loadtest.plan import Plan, PlanError, Shape
from loadtest.report import HEAD, cells, table
from loadtest.runs import run
from loadtest.servers import ENGINE, MODEL, running
from loadtest.workloads import Distinct


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    peers = commands.add_parser("peers", help="what Hearth is compared with: set up, listed, tried")
    parts = peers.add_subparsers(required=True)

    made = parts.add_parser("setup", help="download what peers need, each into a folder of its own")
    made.set_defaults(do=_setup)
    made.add_argument("names", nargs="*", default=list(NEEDS), help=f"of {', '.join(NEEDS)}; all if none is named")
    made.add_argument("--into", type=Path, required=True, metavar="FOLDER")
    made.add_argument("--dry-run", action="store_true", help="only tell what would be downloaded, and by which command")

    listed = parts.add_parser("list", help="what there is")
    listed.set_defaults(do=_list)
    listed.add_argument("--into", type=Path, required=True, metavar="FOLDER")

    tried = parts.add_parser("check", help="start one after the other, and load it a little")
    tried.set_defaults(do=_check)
    tried.add_argument("names", nargs="*", help="all that are there, if none is named")
    tried.add_argument("--into", type=Path, required=True, metavar="FOLDER")
    tried.add_argument("--model", type=Path, required=True, help="a folder that vLLM can load")
    tried.add_argument("--engine", default=ENGINE, help="options of the engine")
    tried.add_argument("--streams", type=int, default=4)
    tried.add_argument("--requests", type=int, default=8)
    tried.add_argument("--max-tokens", type=int, default=64)
    tried.add_argument("--json", type=Path, help="write all figures to this file")
    tried.add_argument("--out", type=Path, help="folder for the servers' logs")


def _setup(arguments: argparse.Namespace) -> int:
    folder = arguments.into.resolve()
    if unknown := set(arguments.names) - set(NEEDS):
        raise PlanError(f"nothing is downloaded for {', '.join(sorted(unknown))}; only for {', '.join(NEEDS)}")
    for need in map(NEEDS.__getitem__, arguments.names):
        if arguments.dry_run:
            print("\n".join([need.told(folder), *(f"  {' '.join(command)}" for command in need.commands(folder))]))
        else:
            print(set_up(need, folder, say=_say))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    folder = arguments.into.resolve()
    rows = [[name, (make.__doc__ or "").strip(), _state(name, folder)] for name, make in PEERS.items()]
    print(table(["peer", "what it is", "there"], rows))
    return 0


def _state(name: str, folder: Path) -> str:
    missing = unmet(name, folder)
    return f"no: peers setup {missing}" if missing else "yes"


def _check(arguments: argparse.Namespace) -> int:
    folder, engine = arguments.into.resolve(), dict(parse_qsl(arguments.engine, strict_parsing=True))
    stage = Stage(arguments.model.resolve(), engine, folder)
    logs = arguments.out or Path(tempfile.mkdtemp(prefix="peers-"))
    logs.mkdir(parents=True, exist_ok=True)
    names = arguments.names or [name for name in PEERS if not unmet(name, folder)]
    results = {}
    for made in [recipe(name, stage) for name in names]:
        _say(f"starting {made.name}")
        with running(made, logs) as server:
            run(_plan(arguments, seed=0), server.url, None)
            results[made.name] = run(_plan(arguments, seed=1), server.url, server.pid, behind=server.behind)
    print(_text(results))
    if arguments.json:
        told = {name: figures.as_json() for name, figures in results.items()}
        arguments.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 1 if any(figures.errors for figures in results.values()) else 0


def _plan(arguments: argparse.Namespace, seed: int) -> Plan:
    """Another seed, other prompts: what Hearth answered once it would answer from its cache."""
    work = Distinct(tokens=Lengths.fixed(arguments.max_tokens), seed=seed)
    return Plan(Shape(MODEL, temperature=0.0), work, Closed(arguments.streams), arguments.requests)


def _text(results: dict[str, Figures]) -> str:
    rows = []
    for name, figures in results.items():
        spent = sum(each.cpu_seconds for each in figures.processes if each.behind)
        rows.append([name, *cells(figures), f"{spent / max(1, figures.tokens) * 1e6:.0f}"])
    return table(["peer", *HEAD, "behind us/tok"], rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
