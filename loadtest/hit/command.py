"""The command line: python -m loadtest hit."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.hit.report import text
from loadtest.hit.run import Plan, hits


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("hit", help="an answer given again, beside a bare Redis GET of its size")
    one.set_defaults(do=_hit)
    one.add_argument("--tokens", type=_numbers, default=(50, 500), metavar="N,...", help="in an answer")
    one.add_argument("--levels", type=_numbers, default=(1, 32), metavar="N,...", help="asked at a time")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument(
        "--seconds", type=float, default=1.0, help="of one turn; there are twelve in a round at two levels and sizes"
    )
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the servers' logs")


def _hit(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.tokens, arguments.levels, arguments.rounds, arguments.seconds)
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    results = hits(plan, folder, lambda said: print(said, file=sys.stderr, flush=True))
    print(text(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    return 1 if results.failed else 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
