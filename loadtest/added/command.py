"""The command line: python -m loadtest added."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.added.results import Plan
from loadtest.added.run import added
from loadtest.telling import add_outlets, folder, say, tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("added", help="what Hearth as a relay adds to the time to first token")
    one.set_defaults(do=_added)
    one.add_argument("--streams", type=int, default=128, help="on each side, besides a single one")
    one.add_argument("--requests", type=int, default=100, help="of a round with a single stream, on each side")
    one.add_argument("--tokens", type=int, default=32, help="in an answer on average")
    one.add_argument("--prefill-ms", type=float, default=20.0, help="until the upstream's first token")
    one.add_argument("--token-ms", type=float, default=20.0, help="between two tokens of the upstream")
    one.add_argument("--vllm", type=Path, metavar="FOLDER", help="a model: vllm serve, not the upstream of that pace")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seconds", type=float, default=5.0, help="of a round with many streams")
    add_outlets(one)


def _added(arguments: argparse.Namespace) -> int:
    plan = Plan(
        streams=arguments.streams,
        requests=arguments.requests,
        tokens=arguments.tokens,
        prefill_ms=arguments.prefill_ms,
        token_ms=arguments.token_ms,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        vllm=arguments.vllm.resolve() if arguments.vllm else None,
    )
    return tell(added(plan, folder(arguments), say), arguments)
