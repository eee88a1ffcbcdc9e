"""The command line: python -m loadtest fanout."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.fanout.plan import Plan
from loadtest.fanout.report import text
from loadtest.fanout.run import Results, fanout


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    plan = Plan()
    one = commands.add_parser("fanout", help="one generation and all its readers, beside a bare socket writer")
    one.set_defaults(do=_fanout)
    one.add_argument(
        "--readers", type=_numbers, default=plan.levels, metavar="N,...", help="as fast as it goes; '' for none"
    )
    one.add_argument("--rounds", type=int, default=plan.rounds)
    one.add_argument("--seconds", type=float, default=plan.seconds, help="of a turn as fast as it goes")
    one.add_argument("--paced", type=_numbers, default=plan.paced, metavar="N,...", help="at a pace; '' for none")
    one.add_argument("--token-ms", type=float, default=plan.token_ms, help="the pace")
    one.add_argument("--paced-seconds", type=float, default=plan.paced_seconds, help="of a turn at a pace")
    one.add_argument("--join-ms", type=float, default=plan.join_ms, help="for each reader, before the first token")
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the servers' logs")


def _fanout(arguments: argparse.Namespace) -> int:
    plan = Plan(
        arguments.readers,
        arguments.rounds,
        arguments.seconds,
        arguments.paced,
        arguments.token_ms,
        arguments.paced_seconds,
        arguments.join_ms,
    )
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    results = Results()
    try:
        fanout(plan, folder, results, lambda said: print(said, file=sys.stderr, flush=True))
    finally:
        # It may break off after minutes; what was measured until then is told.
        print(text(results))
        if arguments.json:
            arguments.json.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    return 1 if results.failed else 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]
