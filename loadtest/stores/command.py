"""The command line: python -m loadtest stores."""

from __future__ import annotations

import argparse

from loadtest.stores.results import Plan
from loadtest.stores.run import stores
from loadtest.telling import add_outlets, folder, say, tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("stores", help="what a token costs with logs in memory and with logs in Redis")
    one.set_defaults(do=_stores)
    one.add_argument("--streams", type=int, default=64)
    one.add_argument("--tokens", type=int, default=128, help="in an answer")
    one.add_argument("--token-ms", type=float, default=10.0, help="between two tokens of the scripted engine")
    one.add_argument("--vllm", metavar="FOLDER", help="a model's folder, or bundled: vLLM, not the scripted engine")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seconds", type=float, default=5.0, help="of one turn; there are two in a round")
    add_outlets(one)


def _stores(arguments: argparse.Namespace) -> int:
    plan = Plan(
        streams=arguments.streams,
        tokens=arguments.tokens,
        token_ms=arguments.token_ms,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        model=arguments.vllm,
    )
    return tell(stores(plan, folder(arguments), say), arguments)
