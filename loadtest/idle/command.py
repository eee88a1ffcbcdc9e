"""The command line: python -m loadtest idle."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.idle.explain import explain
from loadtest.idle.plan import KINDS, Plan
from loadtest.idle.report import text
from loadtest.idle.run import idle


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    plan = Plan()
    one = commands.add_parser("idle", help="what a reader that waits costs in memory, beside bare uvicorn")
    one.set_defaults(do=_idle)
    one.add_argument("--connections", type=_numbers, default=plan.levels, metavar="N,...", help="one after the other")
    one.add_argument("--kinds", type=_names, default=KINDS, metavar="NAME,...", help=f"some of {', '.join(KINDS)}")
    one.add_argument("--rounds", type=int, default=plan.rounds)
    one.add_argument("--settle-s", type=float, default=plan.settle_s, help="rest before memory is looked at")
    one.add_argument(
        "--explain", action="store_true", help="what a reader consists of instead: objects, and who made them"
    )
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the servers' logs")


def _idle(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.connections, arguments.kinds, arguments.rounds, arguments.settle_s)
    folder = (arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))).resolve()

    def say(said: str) -> None:
        print(said, file=sys.stderr, flush=True)

    if arguments.explain:
        explained = explain(plan, folder, say)
        told, figures = "\n\n".join(each.text() for each in explained), [each.as_json() for each in explained]
    else:
        results = idle(plan, folder, say)
        told, figures = text(results), results.as_json()
    print(told)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _names(text: str) -> list[str]:
    return text.split(",")
