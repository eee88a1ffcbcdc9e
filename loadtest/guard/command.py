"""The command line: python -m loadtest guard."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from loadtest.guard.run import guard
from loadtest.guard.scenes import Verdict, middle
from loadtest.report import table

ROUNDS: Final = 5


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser(
        "guard", help="what a token costs, as a multiple of a bare socket's send; fails past limits"
    )
    one.set_defaults(do=_guard)
    one.add_argument("--rounds", type=int, default=ROUNDS)
    one.add_argument("--json", type=Path, help="write all figures to this file")
    one.add_argument("--out", type=Path, help="folder for the servers' logs")


def _guard(arguments: argparse.Namespace) -> int:
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    verdicts = guard(arguments.rounds, folder, lambda said: print(said, file=sys.stderr, flush=True))
    print(text(verdicts))
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(each) for each in verdicts], indent=1), encoding="utf-8")
    return 1 if any(each.failed for each in verdicts) else 0


def text(verdicts: list[Verdict]) -> str:
    """The report for people."""
    head = ["scene", "frames", "CPU us a frame", "bare", "ratio of each round", "judged", "limit", "verdict"]
    return table(head, [_row(each) for each in verdicts])


def _row(verdict: Verdict) -> list[str]:
    costs = [middle([turn.cpu_us for turn in turns]) for turns in (verdict.hearth, verdict.floor)]
    frames, limit = verdict.hearth[0].frames, verdict.scene.limit
    told = "too dear" if verdict.failed else "held"
    return [verdict.scene.name, str(frames), *costs, middle(verdict.ratios), f"{verdict.ratio:.1f}", f"{limit:g}", told]


def _plain(verdict: Verdict) -> dict[str, object]:
    turns = {name: [turn._asdict() for turn in getattr(verdict, name)] for name in ("hearth", "floor")}
    return {**verdict.scene._asdict(), **turns, "ratio": verdict.ratio, "failed": verdict.failed}
