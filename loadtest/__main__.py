"""The command line: python -m loadtest COMMAND; --help lists the commands."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from redis.exceptions import RedisError

from loadtest import command, models, processes, servers
from loadtest.added import command as added
from loadtest.affinity import command as affinity
from loadtest.boots import command as boots
from loadtest.budget import command as budget
from loadtest.cache import command as cache
from loadtest.cancel import command as cancel
from loadtest.chaos import plan as chaos_plan
from loadtest.chaos import run as chaos
from loadtest.clients import ClientError
from loadtest.compare import command as comparison
from loadtest.crowd.hops import Hops, hops
from loadtest.crowd.plan import Crowd
from loadtest.crowd.storm import Storm, storm
from loadtest.fanout import command as fanout
from loadtest.guard import command as guard
from loadtest.hit import command as hit
from loadtest.idle import command as idle
from loadtest.lengths import LengthError
from loadtest.peers import command as peers
from loadtest.plan import PlanError
from loadtest.requests import command as requests
from loadtest.soak import command as soak
from loadtest.stores import command as stores
from loadtest.trace import TraceError
from loadtest.warmth import command as warmth
from loadtest.workers import command as workers


def main(words: Sequence[str] | None = None, prog: str = "python -m loadtest") -> int:
    """Run one command; return the exit status. Ctrl-C and SIGTERM end it, and every server that it began."""
    arguments = _parser(prog).parse_args(words)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    try:
        status = arguments.do(arguments)
    except* KeyboardInterrupt:
        # A server may just have been begun, and nobody have noted it down yet.
        processes.end_children()
        status = 130
    except* (PlanError, LengthError, TraceError, ClientError, servers.ServerError, OSError, RedisError) as group:
        for error in _leaves(group):
            print(error, file=sys.stderr)
        status = 2
    finally:
        signal.signal(signal.SIGTERM, before)
    return status


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves: those of tasks come in groups."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


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


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Load on this machine's own servers.")
    commands = parser.add_subparsers(required=True)

    command.add(commands)

    comparison.add(commands)

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
    peers.add(commands)
    stores.add(commands)
    workers.add(commands)
    requests.add(commands)
    added.add(commands)
    cancel.add(commands)
    fanout.add(commands)
    idle.add(commands)

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


if __name__ == "__main__":
    sys.exit(main())
