"""The command line: python -m loadtest soak."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtest.soak.plan import SCENES, Plan, Scene
from loadtest.soak.plot import svg
from loadtest.soak.report import as_json, text
from loadtest.soak.run import soak


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("soak", help="a crowd that comes and goes for an hour: nothing may grow")
    one.set_defaults(do=_soak)
    one.add_argument(
        "--scenes", type=_scenes, default=list(SCENES.values()), metavar="NAME,...", help=", ".join(SCENES)
    )
    one.add_argument("--seconds", type=float, default=3600.0, help="of each scene")
    one.add_argument("--streams", type=int, default=500, help="visitors at a time")
    one.add_argument("--tokens", type=_range, default=(150, 450), metavar="N or LOW:HIGH", help="in one answer")
    one.add_argument("--token-ms", type=float, default=80.0, help="between two tokens of the scripted engine")
    one.add_argument("--every", type=float, metavar="SECONDS", help="how often the server is looked at")
    one.add_argument("--seed", type=int, default=0, help="who comes, what they ask, and when they leave")
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--svg", type=Path, help="write the plot to this file")
    one.add_argument("--out", type=Path, help="folder for the processes' logs")


def _soak(arguments: argparse.Namespace) -> int:
    plan = Plan(
        arguments.seed, arguments.streams, arguments.seconds, arguments.tokens, arguments.token_ms, arguments.every
    )
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="soak-"))
    verdicts = []
    for scene in arguments.scenes:
        verdicts.append(soak(plan, scene, folder, lambda said: print(said, file=sys.stderr, flush=True)))
        print(text(verdicts[-1]), end="\n\n", flush=True)
        # An hour of figures is not lost when the next scene cannot be carried out.
        if arguments.json:
            arguments.json.write_text(json.dumps([as_json(each) for each in verdicts], indent=1), encoding="utf-8")
        if arguments.svg:
            arguments.svg.write_text(svg(verdicts), encoding="utf-8")
    return 1 if any(each.failed for each in verdicts) else 0


def _scenes(text: str) -> list[Scene]:
    unknown = set(text.split(",")) - set(SCENES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}"
        )
    return [SCENES[name] for name in text.split(",")]


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    return int(low), int(high or low)
