"""The command lines: python -m loadtest cache, and python -m loadtest curve."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from loadtest.cache.curve import CONFIRMED, Curve, Point, curve
from loadtest.cache.plot import svg
from loadtest.cache.saving import Saving, saving
from loadtest.cache.trial import Stage
from loadtest.cache.workload import Workload

_H100: Final = 0.001525


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both to the parser."""
    one = commands.add_parser("cache", help="questions that come again, with the cache and without")
    one.set_defaults(do=_saving)
    one.add_argument("--skew", type=float, default=1.0, help="the question of rank r comes as 1 / r ** SKEW")
    one.add_argument("--ttl", type=float, default=3600.0, help="seconds that an answer is kept")
    one.add_argument("--price", type=float, default=_H100, help="of a second of the engine; %(default)s is an H100's")
    _add_workload(one, deterministic=0.8)

    many = commands.add_parser(
        "curve", help="what the cache spares over skew and TTL: simulated, and replayed here and there"
    )
    many.set_defaults(do=_curve)
    many.add_argument("--svg", type=Path, help="draw the curve into this file")
    many.add_argument(
        "--points", type=_points, default=CONFIRMED, metavar="SKEW:TTL,...", help="what is replayed; `none` for nothing"
    )
    _add_workload(many, deterministic=1.0)


def _add_workload(parser: argparse.ArgumentParser, deterministic: float) -> None:
    parser.add_argument("--questions", type=int, default=10_000, help="different ones that there are")
    parser.add_argument("--rate", type=float, default=1.0, help="asks a second")
    parser.add_argument("--seconds", type=float, default=7200.0, help="how long they come")
    parser.add_argument("--deterministic", type=float, default=deterministic, help="share of asks at temperature 0")
    parser.add_argument("--streamed", type=float, default=0.5, help="share of streams")
    parser.add_argument("--namespaces", type=int, default=1, help="that share nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prefill-ms", type=float, default=300.0)
    parser.add_argument("--token-ms", type=float, default=30.0)
    parser.add_argument("--tokens", type=int, default=24, help="in an answer")
    parser.add_argument("--compress", type=float, default=60.0, help="how many times faster all of it happens")
    parser.add_argument("--vllm", action="store_true", help="the bundled model on vLLM, not the scripted engine")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--out", type=Path, help="folder for the servers' logs")


def _saving(arguments: argparse.Namespace) -> int:
    workload, stage = _workload(arguments, arguments.skew), _stage(arguments)
    return _told(saving(workload, stage, arguments.ttl, arguments.price, _folder(arguments), _say), arguments.json)


def _curve(arguments: argparse.Namespace) -> int:
    workload, stage = _workload(arguments, 1.0), _stage(arguments)
    result = curve(workload, stage, arguments.points, _folder(arguments), _say)
    if arguments.svg:
        arguments.svg.write_text(svg(result.simulated, result.replayed), encoding="utf-8")
    return _told(result, arguments.json)


def _told(result: Saving | Curve, file: Path | None) -> int:
    print(result.text())
    if file:
        file.write_text(json.dumps(result.as_json(), indent=1), encoding="utf-8")
    return 1 if result.failed else 0


def _workload(arguments: argparse.Namespace, skew: float) -> Workload:
    return Workload(
        arguments.questions,
        skew,
        arguments.rate,
        arguments.seconds,
        arguments.deterministic,
        arguments.streamed,
        arguments.namespaces,
        arguments.seed,
    )


def _stage(arguments: argparse.Namespace) -> Stage:
    return Stage(arguments.prefill_ms, arguments.token_ms, arguments.tokens, arguments.compress, arguments.vllm)


def _points(text: str) -> list[Point]:
    pairs = [] if text == "none" else [point.split(":") for point in text.split(",")]
    return [Point(float(skew), float(ttl)) for skew, ttl in pairs]


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
