"""Boots as tables: how long each took, and where a boot's time goes. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Final

from loadtest.boots.boot import Boot
from loadtest.boots.run import Results
from loadtest.report import table

_FIGURES: Final[dict[str, Callable[[Boot], float]]] = {
    "listens": lambda boot: boot.listening,
    "first token": lambda boot: boot.first_token,
    "CPU": lambda boot: boot.cpu,
}


def text(results: Results) -> str:
    """Both tables."""
    rows = [
        [server, which, str(len(boots)), *(_spread([of(boot) for boot in boots]) for of in _FIGURES.values())]
        for (server, which), boots in results.boots.items()
    ]
    return "\n\n".join(
        [
            "seconds, median (least..most):",
            table(["server", "boot", "boots", *_FIGURES], rows),
            "where Hearth's go, as a waiting reader is told; medians:",
            _stages(results),
        ]
    )


def _stages(results: Results) -> str:
    columns = {f"{server}, {which}": boots for (server, which), boots in results.boots.items() if boots[0].stages}
    names = list(dict.fromkeys(stage for boots in columns.values() for boot in boots for stage in boot.spans()))
    rows = [[name, *(_median(boots, name) for boots in columns.values())] for name in names]
    return table(["stage", *columns], [row for row in rows if any(cell != "0.00" for cell in row[1:])])


def _median(boots: Sequence[Boot], stage: str) -> str:
    return f"{statistics.median(boot.spans().get(stage, 0.0) for boot in boots):.2f}"


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}..{max(seconds):.2f})"
