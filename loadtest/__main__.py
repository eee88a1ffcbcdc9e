"""The command line: python -m loadtest COMMAND; --help lists the commands."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from loadtest import models, processes, servers
from loadtest.affinity import command as affinity
from loadtest.boots import command as boots
from loadtest.budget import command as budget
from loadtest.cache import command as cache
from loadtest.chaos import plan as chaos_plan
from loadtest.chaos import run as chaos
from loadtest.compare import Comparison, compare
from loadtest.crowd.hops import Hops, hops
from loadtest.crowd.plan import Crowd
from loadtest.crowd.storm import Storm, storm
from loadtest.drivers import Address
from loadtest.guard import command as guard
from loadtest.hit import command as hit
from loadtest.plan import Plan, PlanError, Shape
from loadtest.report import HEAD, cells, table
from loadtest.runs import run
from loadtest.soak import command as soak
from loadtest.warmth import command as warmth


def main() -> int:
    """Run one command; return the exit status."""
    arguments = _parser().parse_args()
    try:
        status: int = arguments.do(arguments)
    except (PlanError, servers.ServerError) as error:
        print(error, file=sys.stderr)
        return 2
    return status


def _run(arguments: argparse.Namespace) -> int:
    shape = Shape(
        arguments.model,
        max_tokens=arguments.max_tokens,
        prompt_words=arguments.prompt_words,
        temperature=arguments.temperature,
        ignore_eos=not arguments.stop_at_eos,
        seed=arguments.seed,
    )
    plan = Plan(shape, arguments.requests, arguments.streams, arguments.rate, arguments.seconds)
    pid = arguments.pid or processes.listening(Address.of(arguments.url).port)
    figures = run(plan, arguments.url, pid)
    print(table(HEAD, [cells(figures)]))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures.as_json(), indent=1), encoding="utf-8")
    return 1 if figures.errors else 0


def _compare(arguments: argparse.Namespace) -> int:
    model, options = arguments.model.resolve(), dict(parse_qsl(arguments.engine, strict_parsing=True))
    comparison = Comparison(
        recipes=(servers.hearth(model, options), servers.vllm(model, options)),
        levels=arguments.levels,
        rounds=arguments.rounds,
        max_tokens=arguments.max_tokens,
        requests_per_stream=arguments.requests_per_stream,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    results = compare(comparison, _folder(arguments))
    print(results.tables())
    return 1 if results.failed else 0


def _hops(arguments: argparse.Namespace) -> int:
    return _told([hops(_crowd(arguments), _folder(arguments))], arguments.json)


def _storm(arguments: argparse.Namespace) -> int:
    crowd, folder = _crowd(arguments), _folder(arguments)
    return _told([storm(crowd, patient, folder) for patient in (False, True)], arguments.json)


def _told(results: Sequence[Hops | Storm], file: Path | None) -> int:
    print("\n\n".join(result.text() for result in results))
    if file:
        file.write_text(json.dumps([result.as_json() for result in results], indent=1), encoding="utf-8")
    return 1 if any(result.failed for result in results) else 0


def _crowd(arguments: argparse.Namespace) -> Crowd:
    return Crowd(arguments.logs, arguments.readers, arguments.token_ms, arguments.seconds)


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))


def _chaos(arguments: argparse.Namespace) -> int:
    stage = chaos.VLLM if arguments.vllm else chaos.scripted(arguments.token_ms)
    seed = secrets.randbelow(1 << 32) if arguments.seed is None else arguments.seed
    phases = chaos_plan.phases(arguments.phases, arguments.seconds)
    # A model boots for a while, and slowly where three of them share a few cores.
    waits = {"lease_s": 5.0, "patience_s": 90.0, "deadline_s": 300.0} if arguments.vllm else {}
    plan = chaos_plan.Plan(seed, arguments.streams, phases, arguments.tokens, arguments.cut_bytes, **waits)
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}, in {folder}", file=sys.stderr, flush=True)
    tally = chaos.run(plan, stage, folder, say=lambda text: print(text, file=sys.stderr, flush=True))
    print(tally.text())
    chaos.write(tally, plan, folder)
    return 1 if tally.failed else 0


def _model(arguments: argparse.Namespace) -> int:
    models.make(arguments.size, arguments.folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest", description="Load on this machine's own servers.")
    commands = parser.add_subparsers(required=True)

    one = commands.add_parser("run", help="one load on a server that runs")
    one.set_defaults(do=_run)
    one.add_argument("--url", default="http://127.0.0.1:8000")
    one.add_argument("--model", default="campfire")
    one.add_argument("--requests", type=int, default=32)
    one.add_argument("--streams", type=int, default=8, help="streams at a time, unless --rate is given")
    one.add_argument("--rate", type=float, help="arrivals a second, however many are still running")
    one.add_argument("--seconds", type=float, default=120.0, help="what is unfinished by then is given up")
    one.add_argument("--max-tokens", type=int, default=128)
    one.add_argument("--prompt-words", type=_range, default=(16, 16), metavar="N or LOW:HIGH")
    one.add_argument("--temperature", type=float)
    one.add_argument("--stop-at-eos", action="store_true", help="let the model end its answer early")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--pid", type=int, help="the server's process; else the one that listens on the port")
    one.add_argument("--json", type=Path, help="write all figures to this file")

    both = commands.add_parser("compare", help="Hearth beside plain vLLM, turn by turn")
    both.set_defaults(do=_compare)
    both.add_argument("--model", type=Path, required=True, help="a folder that vLLM can load")
    both.add_argument("--levels", type=_levels, default=[1, 8, 32, 128], help="streams at a time, as in 1,8,32,128")
    both.add_argument("--rounds", type=int, default=3)
    both.add_argument("--max-tokens", type=int, default=128)
    both.add_argument("--requests-per-stream", type=int, default=4)
    both.add_argument(
        "--engine", default=f"{servers.ENGINE}&max_model_len=1024&max_num_seqs=256", help="options for both"
    )
    both.add_argument("--out", type=Path, help="folder for results.json, table.md and the servers' logs")

    hop = commands.add_parser("hops", help="what a reader pays who reads on another replica than the writer's")
    _add_crowd(hop, _hops, seconds=20.0)
    deploy = commands.add_parser("storm", help="a replica goes down, and all its readers come back to another one")
    _add_crowd(deploy, _storm, seconds=30.0)

    cache.add(commands)
    hit.add(commands)
    guard.add(commands)
    soak.add(commands)
    boots.add(commands)
    budget.add(commands)
    warmth.add(commands)
    affinity.add(commands)

    broken = commands.add_parser("chaos", help="replicas and a Redis that are broken while streams are read")
    broken.set_defaults(do=_chaos)
    broken.add_argument("--seed", type=int, help="what is asked, cut and broken; chosen and told if not given")
    broken.add_argument("--streams", type=int, default=200, help="streams at a time")
    broken.add_argument("--seconds", type=float, default=360.0, help="for all phases together")
    broken.add_argument("--phases", type=_names, default=list(chaos_plan.PHASES), metavar="NAME,...")
    broken.add_argument("--tokens", type=_range, default=(60, 160), metavar="N or LOW:HIGH", help="in one answer")
    broken.add_argument("--token-ms", type=int, default=100, help="between two tokens of the scripted engine")
    broken.add_argument("--vllm", action="store_true", help="the bundled model on vLLM, not the scripted engine")
    broken.add_argument("--cut-bytes", type=int, default=2_500, help="read by one connection, on average")
    broken.add_argument("--out", type=Path, help="folder for chaos.json and the processes' logs")

    made = commands.add_parser("model", help="make a random model for benches")
    made.set_defaults(do=_model)
    made.add_argument("--size", choices=sorted(models.SIZES), default="tiny")
    made.add_argument("folder", type=Path)
    return parser


def _add_crowd(parser: argparse.ArgumentParser, do: Callable[[argparse.Namespace], int], seconds: float) -> None:
    parser.set_defaults(do=do)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--readers", type=int, default=1000, help="of all logs together")
    parser.add_argument("--token-ms", type=float, default=50.0, help="how often each log grows by a token")
    parser.add_argument("--seconds", type=float, default=seconds, help="how long it is measured, or the answers last")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--out", type=Path, help="folder for the servers' logs")


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    return int(low), int(high or low)


def _names(text: str) -> list[str]:
    return text.split(",")


def _levels(text: str) -> list[int]:
    return [int(level) for level in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
