"""The command line: python -m loadtest cancel."""

from __future__ import annotations

import argparse

from loadtest.cancel.results import Plan
from loadtest.cancel.run import cancel
from loadtest.telling import add_outlets, folder, say, tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("cancel", help="from a client's cancel to the engine's abort, in three ways")
    one.set_defaults(do=_cancel)
    one.add_argument("--streams", type=int, default=128)
    one.add_argument("--rate", type=float, default=40.0, help="streams that are stopped in a second")
    one.add_argument("--seconds", type=float, default=10.0, help="how long; then all that are left are stopped at once")
    one.add_argument("--token-ms", type=float, default=50.0, help="between two tokens of the upstream")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--vllm", metavar="FOLDER", help="a model's folder, or bundled: vLLM, not Hearth as a relay")
    add_outlets(one)


def _cancel(arguments: argparse.Namespace) -> int:
    plan = Plan(
        streams=arguments.streams,
        rate=arguments.rate,
        seconds=arguments.seconds,
        token_ms=arguments.token_ms,
        seed=arguments.seed,
        model=arguments.vllm,
    )
    return tell(cancel(plan, folder(arguments), say), arguments)
