"""The turns as tables: what each took, and in ratio to the bare GET. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Final

from loadtest.hit.run import BARE, STORES, Results, Shape
from loadtest.report import table
from loadtest.turn import Turn

_FIGURES: Final[dict[str, Callable[[Turn], float]]] = {
    "first byte p50 ms": lambda turn: turn.first.p50,
    "p99 ms": lambda turn: turn.first.p99,
    "answers/s": lambda turn: turn.per_second,
    "a core": lambda turn: turn.per_core,
    "server CPU us": lambda turn: turn.cpu_us,
    "client": lambda turn: turn.client_share,
}
_RATIOS: Final[dict[str, Callable[[Turn], float]]] = {
    "first byte p50": lambda turn: turn.first.p50,
    "answers/s": lambda turn: turn.per_second,
}


def text(results: Results) -> str:
    """Both tables."""
    shapes = list(results.sizes)
    head = ["answer", "tokens", "bytes", "at a time", "asked", *_FIGURES]
    rows = [
        [*_cells(results, shape), name, *_medians(results, shape, name)] for shape in shapes for name in (BARE, *STORES)
    ]
    ratios = [
        [
            *_cells(results, shape),
            *(_ratio(results.ratios(shape, name, of)) for of in _RATIOS.values() for name in STORES),
        ]
        for shape in shapes
    ]
    columns = [f"{what}, {name}" for what in _RATIOS for name in STORES]
    return "\n\n".join(
        [
            f"medians of {len(next(iter(results.turns.values())))} rounds; GET is a bare one of as many bytes,"
            " raw RESP2 over TCP, the same Redis, the same client:",
            table(head, rows),
            "ratio to the bare GET of the same round, median (least..most):",
            table([*head[:4], *columns], ratios),
        ]
    )


def _cells(results: Results, shape: Shape) -> list[str]:
    return [shape.manner, str(shape.tokens), str(results.sizes[shape]), str(shape.streams)]


def _medians(results: Results, shape: Shape, name: str) -> list[str]:
    first, p99, rate, core, cpu, client = (results.median(shape, name, of) for of in _FIGURES.values())
    return [f"{first:.2f}", f"{p99:.2f}", f"{rate:.0f}", f"{core:.0f}", f"{cpu:.0f}", f"{client:.0%}"]


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3g} ({min(ratios):.3g}..{max(ratios):.3g})"
