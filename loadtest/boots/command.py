"""The command line: python -m loadtest boots."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.boots.report import text
from loadtest.boots.run import SERVERS, Plan, boots


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("boots", help="from a command to a first token, beside plain vLLM")
    one.set_defaults(do=_boots)
    one.add_argument("--rounds", type=int, default=3, help="each boots every server once, from nothing")
    one.add_argument("--again", type=int, default=3, help="boots of a server whose engine has ended, in a round")
    one.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout of an older Hearth, measured as well")
    one.add_argument("--only", type=_names, default=(), metavar="NAME,...", help=f"some of {', '.join(SERVERS)}")
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the servers' logs")


def _boots(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.rounds, arguments.again, arguments.before, arguments.only)
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    results = boots(plan, Path.cwd(), folder, lambda said: print(said, file=sys.stderr, flush=True))
    print(text(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    return 0


def _names(text: str) -> list[str]:
    return text.split(",")
