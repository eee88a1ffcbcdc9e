"""The verdict for people and for machines. No I/O."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtest.report import plain, table
from loadtest.soak.trend import Trend
from loadtest.soak.verdict import Verdict


def text(verdict: Verdict) -> str:
    """Both tables, and what went wrong."""
    visits, samples = verdict.visits, verdict.samples
    head = ["series", "first", "last", "mean of the second half", "an hour", "meant", "bound", "verdict", "at rest"]
    rows = [_row(each, verdict) for each in verdict.trends]
    seconds, runs = (samples[-1].seconds, samples[-1].runs) if samples else (0.0, 0.0)
    return "\n".join(
        [
            f"{verdict.scene.name}: {len(samples)} samples in {seconds:.0f} s, {runs:.0f} runs,"
            f" {samples[-1].predictions if samples else 0:.0f} predictions, {verdict.cores:.2f} of a core",
            table(head, rows),
            _counts("whole", visits.whole),
            _counts("met", visits.met),
            _counts("told", visits.told),
            _counts("broken", visits.broken),
            *(
                f"LEFT BEHIND {name}: {before:.0f} before, {after:.0f} after"
                for name, (before, after) in verdict.left.items()
            ),
            *(f"BROKEN {each}" for each in verdict.violations),
            "more at the end than in the middle: "
            + (", ".join(f"{count} {name}" for name, count in verdict.growing()) or "nothing"),
        ]
    )


def _row(trend: Trend, verdict: Verdict) -> list[str]:
    series, slope = verdict.series(trend.bound.name), trend.slope
    after = "" if verdict.after is None else f"{_n(getattr(verdict.after, trend.bound.name))}"
    return [
        trend.bound.name,
        _n(series[0]),
        _n(series[-1]),
        _n(trend.level),
        f"{_n(slope.per_hour)} ± {_n(2 * slope.error)}" if math.isfinite(slope.error) else "too short",
        _n(trend.remembered),
        _n(trend.bound.per_hour),
        trend.verdict,
        f"{_n(getattr(verdict.before, trend.bound.name))}, {after}",
    ]


def _n(number: float) -> str:
    return f"{number:.1f}" if abs(number) < 1000 else f"{number:.0f}"


def _counts(name: str, counts: Counter[str] | Mapping[str, int]) -> str:
    return f"{name}: " + (", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none")


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Everything as plain values."""
    told = {
        "scene": verdict.scene.name,
        "failed": verdict.failed,
        "before": verdict.before._asdict(),
        "after": None if verdict.after is None else verdict.after._asdict(),
        "samples": [sample._asdict() for sample in verdict.samples],
        "trends": [
            {
                **each.bound._asdict(),
                "level": each.level,
                "slope": each.slope.per_hour,
                "error": each.slope.error,
                "remembered": each.remembered,
                "verdict": each.verdict,
            }
            for each in verdict.trends
        ],
        "left": {name: list(pair) for name, pair in verdict.left.items()},
        "growing": [list(each) for each in verdict.growing(50)],
        "violations": list(verdict.violations),
        **{name: dict(getattr(verdict.visits, name)) for name in ("whole", "told", "broken", "met")},
    }
    found: dict[str, Any] = plain(told)
    return found
