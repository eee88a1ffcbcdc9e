"""The command line: python -m loadtest warmth."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from engines.habits import Bounds
from engines.hours import zone_named
from loadtest.plan import PlanError
from loadtest.warmth.judging import Judged, Stage, check_length, first_day, judge, text
from loadtest.warmth.plot import svg
from loadtest.warmth.weeks import TOWNS, monday, recorded

_H100: Final = 5.49
_OFFICE: Final = ["Mon-Fri 08:00-20:00"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser(
        "warmth", help="weeks of people: who meets a cold model under which hours, and at what cost"
    )
    one.set_defaults(do=_warmth)
    one.add_argument("--towns", type=_towns, default=list(TOWNS), metavar="NAME,...", help=", ".join(TOWNS))
    one.add_argument("--recorded", type=Path, help="instead of towns: a file with a moment (unix seconds) on each line")
    one.add_argument(
        "--fixed", action="append", metavar="WINDOW", help=f"the fixed hours; else the town's own, or {_OFFICE[0]}"
    )
    one.add_argument("--zone", default="Europe/Berlin")
    one.add_argument("--first", type=date.fromisoformat, default=date(2026, 9, 14), help="a day of the first week")
    one.add_argument("--history", type=int, default=4, help="weeks before the judged ones")
    one.add_argument("--weeks", type=int, default=4, help="that are judged")
    one.add_argument("--boot-s", type=float, default=90.0)
    one.add_argument("--idle-s", type=float, default=600.0, help="until it goes cold outside of its hours")
    one.add_argument("--price", type=float, default=_H100, help="of a warm hour; %(default)s is an H100's")
    one.add_argument("--floor", type=float, default=0.0, help="hours a day that learned hours have at least")
    one.add_argument("--ceiling", type=float, default=24.0, help="hours a day that they have at most")
    one.add_argument("--budget", type=float, default=math.inf, help="that they may cost a day")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--svg", type=_file, help="draw all of it into this file")
    one.add_argument("--json", type=_file, help="write all figures to this file")


def _warmth(arguments: argparse.Namespace) -> int:
    try:
        stage = _stage(arguments)
    except ValueError as error:
        raise PlanError(str(error)) from None
    results = list(_judged(arguments, stage))
    drawn = f"drawn with seed {arguments.seed}, from {monday(arguments.first)} on"
    print(text(results, f"recorded in {arguments.recorded}" if arguments.recorded else drawn))
    if arguments.svg:
        arguments.svg.write_text(svg(results), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps([each.as_json() for each in results], indent=1), encoding="utf-8")
    return 0


def _judged(arguments: argparse.Namespace, stage: Stage) -> Iterator[Judged]:
    if arguments.recorded:
        arrivals = recorded(_read(arguments.recorded))
        windows = arguments.fixed or _OFFICE
        check_length(arrivals, stage)
        yield judge(arguments.recorded.stem, arrivals, windows, first_day(arrivals, stage.zone), stage)
        return
    for name in arguments.towns:
        town = TOWNS[name]
        arrivals = town.arrivals(*stage.span(arguments.first), stage.zone, arguments.seed)
        yield judge(name, arrivals, arguments.fixed or town.fixed, arguments.first, stage)


def _stage(arguments: argparse.Namespace) -> Stage:
    bounds = Bounds(
        floor_hours=arguments.floor,
        ceiling_hours=arguments.ceiling,
        budget_per_day=arguments.budget,
        cost_per_hour=arguments.price,
        boot_s=arguments.boot_s,
    )
    return Stage(zone_named(arguments.zone), bounds, arguments.history, arguments.weeks, arguments.idle_s)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{file} cannot be read: {error}") from None


def _file(text: str) -> Path:
    """One to be written: known to have a folder before anything is computed for it."""
    file = Path(text)
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {file.parent}")
    return file


def _towns(text: str) -> list[str]:
    unknown = set(text.split(",")) - set(TOWNS)
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no town {', '.join(sorted(unknown))}; there are {', '.join(TOWNS)}")
    return text.split(",")
