"""The rounds as tables: what each was like, and with affinity in ratio to without. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Final

from loadtest.affinity.run import MODELS, Results, Round
from loadtest.report import table

_FIGURES: Final[dict[str, tuple[str, Callable[[Round], float]]]] = {
    "prefix hits": ("{:.0%}", lambda each: each.hits),
    "by `usage`": ("{:.0%}", lambda each: each.cached),
    "TTFT p50 ms": ("{:.0f}", lambda each: each.first_p50),
    "p95 ms": ("{:.0f}", lambda each: each.first_p95),
    "later turns p50 ms": ("{:.0f}", lambda each: each.later_p50),
    "later p95 ms": ("{:.0f}", lambda each: each.later_p95),
    "busiest engine": ("{:.0%}", lambda each: each.busiest),
}
_RATIOS: Final = ("TTFT p50 ms", "p95 ms", "later turns p50 ms", "later p95 ms")


def text(results: Results) -> str:
    """Both tables, under what was played."""
    rounds = results.rounds
    rows = [
        [
            name,
            str(sum(each.turns for each in rounds[name])),
            str(sum(each.errors for each in rounds[name])),
            *(shown.format(statistics.median(map(of, rounds[name]))) for shown, of in _FIGURES.values()),
        ]
        for name in MODELS
    ]
    pairs = list(zip(rounds["with"], rounds["without"], strict=True))
    ratios = [_ratio([_FIGURES[name][1](kept) / _FIGURES[name][1](free) for kept, free in pairs]) for name in _RATIOS]
    tokens = statistics.mean(each.prompt_tokens / max(1, each.turns) for each in rounds["with"])
    return "\n\n".join(
        [
            f"{results.mix.text()}; {tokens:.0f} tokens in a prompt on average; {results.engines} engines with"
            f" {results.engine}; medians of {len(pairs)} rounds:",
            table(["affinity", "turns", "errors", *_FIGURES], rows),
            "with affinity, in ratio to without in the same round, median (least..most):",
            table(list(_RATIOS), [ratios]),
        ]
    )


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
