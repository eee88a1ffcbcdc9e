"""The command line: python -m loadtest run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from loadtest import processes, trace
from loadtest.address import Address
from loadtest.arrivals import Arrivals, Bursts, Closed, Poisson, Ramp
from loadtest.compare.results import Results, Turn, busiest
from loadtest.figures import Figures
from loadtest.html import files
from loadtest.lengths import LengthError, Lengths
from loadtest.machine import Machine, called
from loadtest.plan import MOST_REQUESTS, Harms, Plan, PlanError, Shape
from loadtest.progress import Ticker
from loadtest.record import Objective
from loadtest.report import HEAD, cells, table
from loadtest.runs import run
from loadtest.surfaces.table import SURFACES
from loadtest.workloads import TOKENS, WORDS, Conversations, Distinct, Fixed, Workload, Zipf

_REQUESTS: Final = 32
_LENGTHS: Final = "N, LOW:HIGH (uniform), or lognormal:MEDIAN:SIGMA:LOW:HIGH (clipped)"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("run", help="one load on a server that runs")
    one.set_defaults(do=_run)
    one.add_argument("--url", default="http://127.0.0.1:8000", help="of a server on this machine")
    one.add_argument("--model", default="campfire")
    one.add_argument("--surface", choices=SURFACES, default="chat")
    one.add_argument("--generations", type=int, default=1, metavar="M", help="how many are watched (--surface watch)")
    one.add_argument("--requests", type=int, metavar="N", help=f"{_REQUESTS} unless --for or --trace says otherwise")
    one.add_argument("--for", type=float, dest="lasting", metavar="S", help="no request begins after so many seconds")
    one.add_argument("--seconds", type=float, default=120.0, help="what is unfinished by then is given up")
    _add_arrivals(one.add_argument_group("when requests come (one of these)").add_mutually_exclusive_group())
    one.add_argument("--think", type=float, default=0.0, metavar="S", help="with --streams: before asking again")
    _add_work(one)
    one.add_argument("--cancel", type=float, default=0.0, metavar="SHARE", help="leaves after a random event")
    one.add_argument("--cut", type=float, default=0.0, metavar="SHARE", help="is cut at a random byte, and goes on")
    one.add_argument("--cut-bytes", type=int, default=4_000, metavar="N", help="at most so many are read before a cut")
    one.add_argument(
        "--objective", type=_objective, metavar="FIRST:GAP", help="seconds to the first text and of the longest gap"
    )
    one.add_argument("--clients", type=int, default=1, metavar="N", help="processes that make the load")
    one.add_argument("--progress", action="store_true", help="say how far it is each second, also to no terminal")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--pid", type=int, help="the server's process; else the one that listens on the port")
    one.add_argument("--json", type=Path, help="write all figures to this file")
    files.add(one)


def _add_arrivals(group: argparse._MutuallyExclusiveGroup) -> None:
    group.add_argument("--streams", type=int, default=8, metavar="N", help="closed loop: so many at a time")
    group.add_argument("--rate", type=float, metavar="R", help="open loop: a Poisson process, R a second")
    group.add_argument("--burst", type=_numbers(2), metavar="N:S", help="open loop: N at once, every S seconds")
    group.add_argument(
        "--ramp", type=_numbers(3), metavar="A:B:S", help="open loop: from A to B a second over S seconds"
    )
    group.add_argument(
        "--trace", type=Path, metavar="FILE", help="open loop: lines of `seconds,prompt words,output tokens`"
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is asked")
    kinds = group.add_mutually_exclusive_group()
    kinds.add_argument("--same", action="store_true", help="the same prompt over and over; else each is another one")
    kinds.add_argument("--zipf", type=_numbers(2), metavar="K:SKEW", help="K prompts, rank r in proportion to 1/r^SKEW")
    kinds.add_argument(
        "--talks", type=_numbers(3), metavar="TURNS:SYSTEMS:WORDS", help="turns; shared system prompts, words of each"
    )
    group.add_argument("--prompt-words", type=_lengths, default=WORDS, metavar="LENGTHS", help=_LENGTHS)
    group.add_argument("--max-tokens", type=_lengths, default=TOKENS, metavar="LENGTHS", help="the same")
    group.add_argument("--temperature", type=float)
    group.add_argument("--stop-at-eos", action="store_true", help="let the model end its answer early")


def _run(arguments: argparse.Namespace) -> int:
    plan = plan_of(arguments)
    pid = arguments.pid or processes.listening(Address.of(arguments.url).port)
    ticker = Ticker(sys.stderr) if arguments.progress or sys.stderr.isatty() else None
    figures = run(plan, arguments.url, pid, arguments.clients, ticker)
    print(f"{plan}\n")
    print(table(HEAD, [cells(figures)]))
    print(_beside(figures))
    streams = plan.arrivals.streams if isinstance(plan.arrivals, Closed) else busiest(figures)
    results = Results.alone(Turn(arguments.model, streams, 1, figures), str(plan), called(), Machine.here())
    if arguments.json:
        facts = {"load": results.load, "command": results.command, "machine": asdict(results.machine)}
        told = {**facts, "plan": plan.as_json(), **figures.as_json()}
        arguments.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    files.write(results, arguments)
    return 1 if figures.errors else 0


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan that the words ask for. Raises PlanError, LengthError, TraceError."""
    arrivals, work = _arrivals(arguments), _work(arguments)
    requests = arguments.requests or (_REQUESTS if arguments.lasting is None else MOST_REQUESTS)
    if arguments.trace:
        arrivals, work = _trace(arguments.trace, arguments.seed)
        requests = min(arguments.requests or MOST_REQUESTS, len(arrivals.seconds))
    return Plan(
        Shape(arguments.model, arguments.temperature, ignore_eos=not arguments.stop_at_eos),
        work,
        arrivals,
        requests,
        seconds=arguments.seconds,
        lasting=arguments.lasting,
        surface=arguments.surface,
        generations=arguments.generations,
        harms=Harms(arguments.cancel, arguments.cut, arguments.cut_bytes),
        objective=arguments.objective,
        seed=arguments.seed,
    )


def _arrivals(arguments: argparse.Namespace) -> Arrivals:
    if arguments.rate is not None:
        return Poisson(arguments.rate)
    if arguments.burst:
        size, every = arguments.burst
        return Bursts(int(size), every)
    if arguments.ramp:
        return Ramp(*arguments.ramp)
    return Closed(arguments.streams, arguments.think)


def _work(arguments: argparse.Namespace) -> Workload:
    words, tokens, seed = arguments.prompt_words, arguments.max_tokens, arguments.seed
    if arguments.zipf:
        prompts, skew = arguments.zipf
        return Zipf(int(prompts), skew, words, tokens, seed)
    if arguments.talks:
        turns, systems, system_words = map(int, arguments.talks)
        return Conversations(turns, arguments.streams, systems, system_words, words, tokens, seed)
    return (Fixed if arguments.same else Distinct)(words, tokens, seed)


def _trace(file: Path, seed: int) -> trace.Trace:
    try:
        return trace.parse(file.read_text(encoding="utf-8").splitlines(), seed)
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{file} cannot be read: {error}") from None


def _beside(figures: Figures) -> str:
    """Return what stands below the table."""
    lines = [
        f"p99.9 of the first text {figures.first.at(99.9) * 1000:.1f} ms, of gaps {figures.gap.at(99.9) * 1000:.1f} ms"
    ]
    lines.append(
        f"{figures.bytes} bytes; clients " + ", ".join(f"{share:.0%}" for share in figures.clients) + " of a core"
    )
    if figures.goodput:
        told = figures.goodput
        lines.append(f"goodput {told.share:.1%}, {told.per_second:.1f}/s: {told.objective}")
    if figures.purpose:
        lines.append("on purpose: " + ", ".join(f"{count} {name}" for name, count in figures.purpose.items()))
    return "\n".join(["", *lines, *(f"WARNING: {warning}" for warning in figures.warnings)])


def _objective(text: str) -> Objective:
    first, gap = _numbers(2)(text)
    return Objective(first, gap)


def _numbers(how_many: int) -> Callable[[str], list[float]]:
    def numbers(text: str) -> list[float]:
        found = [float(number) for number in text.split(":")]
        if len(found) != how_many:
            raise argparse.ArgumentTypeError(f"{text!r} is not {how_many} numbers with : between them")
        return found

    return numbers


def _lengths(text: str) -> Lengths:
    try:
        return Lengths.parse(text)
    except LengthError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
