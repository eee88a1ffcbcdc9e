"""Which pictures results come to: speed, latency and cost over concurrency, distributions, time. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from loadtest.compare.results import (
    FIRST_P50,
    FIRST_P99,
    FRAME,
    FRONT,
    GAP_P50,
    GAP_P99,
    MEMORY,
    SPEED,
    TOTAL,
    Measure,
    Results,
    at_a_time,
)
from loadtest.figures import Figures
from loadtest.histogram import Histogram
from loadtest.plot import axis
from loadtest.plot.axis import Axis, Form, number
from loadtest.plot.chart import Chart, Place, Series

_LEAST_SECONDS: Final = 4
_SHARES: Final = [100 * (1 - 10 ** (-step / 20)) for step in range(61)]
"""Percentiles from 0 to 99.9, evenly spread on their axis."""


def plots(results: Results) -> dict[str, dict[str, Chart]]:
    """The charts by what they show, and by the names of their files; without those that would hold a single point."""
    level = f", {at_a_time(results.levels[-1])}" if len(results.turns) > 1 else ""
    groups = {
        "By streams at a time": _over_concurrency(results) if len(results.levels) > 1 else {},
        f"Distributions{level}": _distributions(results),
        f"Over time{level}": _over_time(results),
    }
    return {title: charts for title, charts in groups.items() if charts}


def _over_concurrency(results: Results) -> dict[str, Chart]:
    first, gap, cpu = "Time to first token", "Gap between tokens", "CPU for a token"
    return {
        "throughput": _curve(results, "Tokens a second", SPEED, axis.linear, number),
        "first-token-p50": _curve(results, f"{first}, p50", FIRST_P50, axis.fitting, _ms),
        "first-token-p99": _curve(results, f"{first}, p99", FIRST_P99, axis.fitting, _ms),
        "gap-p50": _curve(results, f"{gap}, p50", GAP_P50, axis.fitting, _ms),
        "gap-p99": _curve(results, f"{gap}, p99", GAP_P99, axis.fitting, _ms),
        "memory": _curve(results, "Memory of all processes", MEMORY, axis.linear, _mb),
        "front-cpu": _curve(results, f"{cpu}, front end", FRONT, axis.fitting, _us),
        "total-cpu": _curve(results, f"{cpu}, all processes", TOTAL, axis.fitting, _us),
        "frame-cpu": _curve(results, "CPU for a frame, all processes", FRAME, axis.fitting, _us),
    }


def _curve(
    results: Results, title: str, measure: Measure, scale: Callable[[str, Sequence[float], Form], Axis], form: Form
) -> Chart:
    series = [
        Series(name, [Place(level, *results.middle(name, level, measure)) for level in results.levels], color)
        for color, name in enumerate(results.names)
    ]
    values = [value for each in series for place in each.points for value in place[1:]]
    return Chart(title, axis.steps("streams at a time", results.levels), scale("", values, form), series)


def _distributions(results: Results) -> dict[str, Chart]:
    parts: dict[str, tuple[str, Callable[[Figures], Histogram]]] = {
        "first-token-distribution": ("Time to first token", lambda run: run.first),
        "gap-distribution": ("Gap between tokens", lambda run: run.gap),
        "answer-distribution": ("Whole answer", lambda run: run.total),
    }
    return {file: _distribution(results, title, of) for file, (title, of) in parts.items()}


def _distribution(results: Results, title: str, of: Callable[[Figures], Histogram]) -> Chart:
    level = results.levels[-1]
    series = []
    for color, name in enumerate(results.names):
        times = Histogram()
        for run in results.runs(name, level):
            times.add(of(run))
        # One in a thousand of a hundred was not measured.
        shares = [share for share in _SHARES if times.count * (100 - share) >= 99.99]
        series.append(Series(name, [Place(share, times.at(share) * 1000) for share in shares], color, mark="hidden"))
    up = axis.fitting("", [point.y for each in series for point in each.points], _ms)
    return Chart(title, axis.percentiles("percentile"), up, series)


def _over_time(results: Results) -> dict[str, Chart]:
    level = results.levels[-1]
    runs = {name: run for name in results.names if (run := results.median_run(name, level))}
    # The last second of a run is not a whole one.
    tokens = {name: [second.tokens for second in run.series[:-1] or run.series] for name, run in runs.items()}
    running = {name: [second.running for second in run.series] for name, run in runs.items()}
    if max(map(len, running.values()), default=0) < _LEAST_SECONDS:
        return {}
    return {
        "tokens-over-time": _timeline("Tokens in each second", tokens),
        "running-over-time": _timeline("Streams running", running),
    }


def _timeline(title: str, lines: dict[str, list[int]]) -> Chart:
    series = [
        Series(name, [Place(second, value) for second, value in enumerate(values, 1)], color, mark="hidden")
        for color, (name, values) in enumerate(lines.items())
    ]
    across = axis.linear("seconds since the run began", [max(map(len, lines.values()))])
    return Chart(title, across, axis.linear("", [value for values in lines.values() for value in values]), series)


def _ms(milliseconds: float) -> str:
    return f"{number(milliseconds)} ms" if milliseconds < 1000 else f"{number(milliseconds / 1000)} s"


def _us(microseconds: float) -> str:
    return f"{number(microseconds)} µs"


def _mb(megabytes: float) -> str:
    return f"{number(megabytes)} MB"
