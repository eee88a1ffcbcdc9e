"""The command line: python -m loadtest workers."""

from __future__ import annotations

import argparse

from loadtest.telling import add_outlets, folder, say, tell
from loadtest.workers.results import Plan
from loadtest.workers.run import workers


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("workers", help="one worker beside several, where the front end is the limit")
    one.set_defaults(do=_workers)
    one.add_argument("--workers", type=int, default=2)
    one.add_argument("--streams", type=int, default=256)
    one.add_argument("--tokens", type=int, default=128, help="in an answer")
    one.add_argument("--token-ms", type=float, default=0.0, help="between two tokens; 0: as fast as it goes")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seconds", type=float, default=5.0, help="of one turn; there are two in a round")
    add_outlets(one)


def _workers(arguments: argparse.Namespace) -> int:
    plan = Plan(
        workers=arguments.workers,
        streams=arguments.streams,
        tokens=arguments.tokens,
        token_ms=arguments.token_ms,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
    )
    return tell(workers(plan, folder(arguments), say), arguments)
