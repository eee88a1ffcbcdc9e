"""The command line: python -m loadtest budget."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.budget.books import text
from loadtest.budget.plan import SCENES, Plan, Scene
from loadtest.budget.run import run_all


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("budget", help="a crowd on one key with a small budget, canceled at random")
    one.set_defaults(do=_budget)
    one.add_argument(
        "--scenes", type=_scenes, default=list(SCENES.values()), metavar="NAME,...", help=", ".join(SCENES)
    )
    one.add_argument("--streams", type=int, default=200, help="streams at a time")
    one.add_argument("--seconds", type=float, default=15.0, help="of each scene")
    one.add_argument("--budget", type=float, default=20.0, help="of the key; a token costs 0.001, a second too")
    one.add_argument("--token-ms", type=float, default=100.0, help="between two tokens of the scripted engine")
    one.add_argument("--seed", type=int, default=0, help="what is asked, and when its caller leaves")
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the processes' logs")


def _budget(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.seed, arguments.streams, arguments.seconds, arguments.budget, token_ms=arguments.token_ms)
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    verdicts = run_all(plan, arguments.scenes, folder, lambda said: print(said, file=sys.stderr, flush=True))
    print(text(verdicts))
    if arguments.json:
        arguments.json.write_text(json.dumps([each.as_json() for each in verdicts], indent=1), encoding="utf-8")
    return 1 if any(each.broken for each in verdicts) else 0


def _scenes(text: str) -> list[Scene]:
    unknown = set(text.split(",")) - set(SCENES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}"
        )
    return [SCENES[name] for name in text.split(",")]
