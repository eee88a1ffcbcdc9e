"""From outcomes to figures, and from figures to tables. No I/O."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.processes import Process
from loadtest.stream import Outcome


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


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds of CPU that the load generator used, and that the whole machine was busy."""

    own: float
    machine: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured. Tokens are what the server's usage counts, or the events where it gave none.

    Shares are of one core: `client_share` is the load generator's, `others_share` that of whatever else runs here.
    """

    requests: int
    errors: dict[str, int]
    seconds: float
    tokens: int
    tokens_per_second: float
    events_per_request: float
    first: Spread
    gap: Spread
    total: Spread
    client_share: float
    others_share: float
    front_us_per_token: float
    total_us_per_token: float
    megabytes: float
    processes: list[Process]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], seconds: float, load: Load, processes: Sequence[Process] = ()) -> Figures:
        """Return the figures of one run's outcomes and of what the server's processes used for them."""
        good = [outcome for outcome in outcomes if outcome.error is None]
        tokens = sum(outcome.tokens or outcome.events for outcome in outcomes)
        front = sum(process.cpu_seconds for process in processes if process.front)
        every = sum(process.cpu_seconds for process in processes)
        return cls(
            requests=len(outcomes),
            errors=dict(Counter(outcome.error for outcome in outcomes if outcome.error)),
            seconds=seconds,
            tokens=tokens,
            tokens_per_second=tokens / seconds,
            events_per_request=sum(outcome.events for outcome in good) / len(good) if good else math.nan,
            first=Spread.of(outcome.first for outcome in good if outcome.first is not None),
            gap=Spread.of(gap for outcome in good for gap in outcome.gaps),
            total=Spread.of(outcome.total for outcome in good),
            client_share=load.own / seconds,
            others_share=max(0.0, load.machine - load.own - every) / seconds if processes else math.nan,
            front_us_per_token=front / tokens * 1e6 if tokens and processes else math.nan,
            total_us_per_token=every / tokens * 1e6 if tokens and processes else math.nan,
            megabytes=sum(process.megabytes for process in processes),
            processes=list(processes),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values; what could not be measured is null."""
        return {name: plain(value) for name, value in asdict(self).items()}


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
        f"{figures.tokens_per_second:.0f}",
        f"{figures.first.p50:.1f}/{figures.first.p99:.1f}",
        f"{figures.gap.p50:.1f}/{figures.gap.p99:.1f}",
        f"{figures.events_per_request:.0f}",
        f"{figures.front_us_per_token:.0f}",
        f"{figures.total_us_per_token:.0f}",
        f"{figures.megabytes:.0f}",
        f"{figures.client_share:.0%}",
        f"{figures.others_share:.0%}",
        ", ".join(f"{count} {code}" for code, count in figures.errors.items()) or "0",
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
