"""The turns as tables: what each came to, and in ratio to the bare writer. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from loadtest.fanout.run import BARE, HEARTH, PACED, Results
from loadtest.fanout.turn import Turn
from loadtest.report import table

BUSY: Final = 0.9
"""The share of a core above which the readers are no longer believed."""
_FIGURES: Final[dict[str, tuple[Callable[[Turn], float], str]]] = {
    "frames/s": (lambda turn: turn.frames_per_second, ".0f"),
    "CPU us/frame": (lambda turn: turn.cpu_us, ".1f"),
    "tokens/s": (lambda turn: turn.tokens_per_second, ".1f"),
    "tokens/frame": (lambda turn: turn.tokens_per_frame, ".1f"),
    "server": (lambda turn: turn.server_share, ".0%"),
    "client": (lambda turn: turn.client_share, ".0%"),
    "others": (lambda turn: turn.others_share, ".0%"),
}
_LAGS: Final[dict[str, tuple[Callable[[Turn], float], str]]] = {
    "lag p50 ms": (lambda turn: turn.lag.p50, ".0f"),
    "p99 ms": (lambda turn: turn.lag.p99, ".0f"),
    "most ms": (lambda turn: turn.lag.most, ".0f"),
}


def text(results: Results) -> str:
    """All that was measured."""
    parts = []
    if levels := results.levels:
        rows = [
            [str(readers), name, *_medians(results.turns[readers, name], _FIGURES)]
            for readers in levels
            for name in (BARE, HEARTH)
        ]
        parts += ["as fast as it goes, medians:", table(["readers", "writer", *_FIGURES], rows)]
        rows = [
            [str(readers), *(_spread(results.ratios(readers, _FIGURES[name][0])) for name in _COMPARED)]
            for readers in levels
        ]
        parts += ["hearth/bare of the same round, median (least..most):", table(["readers", *_COMPARED], rows)]
    if paced := [(readers, turns) for (readers, name), turns in results.turns.items() if name == PACED]:
        rows = [[str(readers), *_medians(turns, {**_LAGS, **_FIGURES})] for readers, turns in paced]
        parts += ["at a pace, medians:", table(["readers", *_LAGS, *_FIGURES], rows)]
    return "\n\n".join([*parts, *_complaints(results)])


_COMPARED: Final = ("frames/s", "CPU us/frame")


def _medians(turns: Sequence[Turn], figures: dict[str, tuple[Callable[[Turn], float], str]]) -> list[str]:
    return [format(statistics.median(map(of, turns)), written) for of, written in figures.values()]


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def _complaints(results: Results) -> Iterator[str]:
    for (readers, name), turns in results.turns.items():
        for number, turn in enumerate(turns, 1):
            where = f"{readers} readers, {name}, round {number}"
            if turn.failed:
                yield f"FAILED: {where}: {dict(turn.faults) or 'no frame came'}"
            if turn.client_share > BUSY:
                yield (
                    f"WARNING: {where}: the readers used {turn.client_share:.0%} of a core, so frames/s may be theirs; "
                    "CPU us/frame is the server's own"
                )
