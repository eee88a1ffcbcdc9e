"""From figures to tables. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.figures import Figures


def percentile(values: Sequence[float], part: float) -> float:
    """Return the nearest-rank percentile; NaN where there is nothing to rank."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(part * len(ranked)) - 1)] if ranked else math.nan


@dataclass(frozen=True, slots=True)
class Spread:
    """How a time was distributed, in milliseconds."""

    p50: float
    p90: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Spread:
        """Return the spread of times given in seconds."""
        times = [second * 1000 for second in seconds]
        return cls(*(percentile(times, part) for part in (0.5, 0.9, 0.99, 1.0)))


def plain(value: Any) -> Any:
    """Return it as JSON can say it: NaN becomes null."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


HEAD = "tok/s,TTFT p50/p99 ms,gap p50/p99 ms,events,front us/tok,total us/tok,MB,client,others,errors".split(",")


def cells(figures: Figures) -> list[str]:
    """Return one run as a table's cells, in the order of HEAD."""
    return [
        _told(figures.tokens_per_second),
        *(f"{_told(times.at(50) * 1000, 1)}/{_told(times.at(99) * 1000, 1)}" for times in (figures.first, figures.gap)),
        _told(figures.events_per_request),
        _told(figures.front_us_per_token),
        _told(figures.total_us_per_token),
        _told(figures.megabytes),
        f"{figures.client_share:.0%}",
        "-" if math.isnan(figures.others_share) else f"{figures.others_share:.0%}",
        ", ".join(f"{count} {code}" for code, count in figures.errors.items()) or "0",
    ]


def _told(value: float, digits: int = 0) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
