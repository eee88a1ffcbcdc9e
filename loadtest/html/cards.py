"""What results come to, in five or six numbers. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from loadtest.compare.results import FIRST_P50, FIRST_P99, FRONT, GAP_P99, SPEED, Measure, Results, at_a_time
from loadtest.figures import Figures
from loadtest.plot.axis import number

_SHOWN: Final = {
    "Tokens a second": SPEED,
    "Time to first token, p50": FIRST_P50,
    "Time to first token, p99": FIRST_P99,
    "Gap between tokens, p99": GAP_P99,
    "Front-end CPU for a token": FRONT,
}


class Card(NamedTuple):
    """A number; its verdict is `better`, `worse`, or nothing where the rounds do not agree."""

    label: str
    value: str
    note: str = ""
    verdict: str = ""


def cards(results: Results) -> tuple[str, list[Card]]:
    """A title and what stands below it: of a comparison the ratios at the highest level, else the run's figures."""
    level = results.levels[-1]
    others = [name for name in results.names if name != results.against]
    if others:
        server = others[0]
        title = f"{server} in ratio to {results.against}, {at_a_time(level)}"
        return title, [_ratio(results, server, label, measure) for label, measure in _SHOWN.items()]
    run = results.median_run(results.against, level)
    return "What came out", list(_figures(run)) if run else []


def _ratio(results: Results, server: str, label: str, measure: Measure) -> Card:
    ratio = results.ratio(server, results.levels[-1], measure)
    if math.isnan(ratio.median):
        return Card(label, "-", "not measured")
    above, below = ("better", "worse") if measure is SPEED else ("worse", "better")
    verdict = above if ratio.least > 1 else below if ratio.most < 1 else ""
    return Card(label, f"{ratio.median:.2f}\u00d7", f"{ratio.least:.2f} to {ratio.most:.2f} over the rounds", verdict)


def _figures(run: Figures) -> Iterator[Card]:
    yield Card("Tokens a second", _told(run.tokens_per_second), f"{run.tokens:,} in {run.seconds:.1f} s")
    for label, times in (
        ("Time to first token", run.first),
        ("Gap between tokens", run.gap),
        ("Whole answer", run.total),
    ):
        p50, p99 = (_told(times.at(share) * 1000, " ms") for share in (50, 99))
        yield Card(f"{label}, p50", p50, f"p99 {p99}")
    if not math.isnan(run.front_us_per_token):
        all_of = _told(run.total_us_per_token, " \u00b5s")
        yield Card("Front-end CPU for a token", _told(run.front_us_per_token, " \u00b5s"), f"all processes {all_of}")
    if run.goodput:
        bounds = f"first {run.goodput.objective.first * 1000:g} ms, gap {run.goodput.objective.gap * 1000:g} ms"
        yield Card(
            "Within the objective", f"{run.goodput.share:.1%}", f"{run.goodput.per_second:.1f} a second; {bounds}"
        )
    failed = sum(run.errors.values())
    yield Card("Errors", f"{failed:,}", f"of {run.requests:,} requests", "worse" if failed else "")


def _told(value: float, unit: str = "") -> str:
    return "-" if math.isnan(value) else f"{number(value)}{unit}"
