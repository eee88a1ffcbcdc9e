"""Results as tables, which read the same in a terminal and as Markdown. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from loadtest.compare.results import RATIOS, Results
from loadtest.report import HEAD, cells, table


class Table(NamedTuple):
    """A title, and rows of words."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """As Markdown."""
        return f"{self.title}:\n\n{table(self.head, self.rows)}"


def runs(results: Results) -> Table:
    """For each level and server the run with the middle speed."""
    rows = [
        [_level(results, level), name, *cells(run)]
        for level in results.levels
        for name in results.names
        if (run := results.median_run(name, level))
    ]
    rounds = max((turn.round for turn in results.turns), default=0)
    title = f"The run with the middle speed of {rounds} rounds" if rounds > 1 else "The run"
    return Table(title, ["streams", "server", *HEAD], rows)


def ratios(results: Results, server: str) -> Table:
    """One server's measures over those of the server that all are measured against."""
    rows = [
        [_level(results, level), *(results.ratio(server, level, measure).text() for measure in RATIOS)]
        for level in results.levels
    ]
    title = f"{server}/{results.against}, median of the rounds' ratios, least..most"
    return Table(title, ["streams", *(measure.name for measure in RATIOS)], rows)


def tables(results: Results) -> list[Table]:
    """The runs, and the ratios of every other server."""
    others = [name for name in results.names if name != results.against]
    return [runs(results), *(ratios(results, name) for name in others)]


def every(results: Results) -> Table:
    """Each run, in the order in which they were made."""
    rows = [
        [str(turn.round), str(turn.streams), turn.server, str(turn.figures.requests), *cells(turn.figures)]
        for turn in results.turns
    ]
    return Table("Every run", ["round", "streams", "server", "requests", *HEAD], rows)


def errors(results: Results) -> Table:
    """What went wrong, by code."""
    counts: Counter[tuple[str, int, str]] = Counter()
    for turn in results.turns:
        for code, count in turn.figures.errors.items():
            counts[turn.server, turn.streams, code] += count
    rows = [[server, str(level), code, str(count)] for (server, level, code), count in sorted(counts.items())]
    return Table("Errors by code", ["server", "streams", "code", "requests"], rows)


def warnings(results: Results) -> list[str]:
    """All of them, each once."""
    return list(dict.fromkeys(warning for level in results.levels for warning in results.warnings(level)))


def text(results: Results) -> str:
    """Everything for a terminal."""
    notes = [f"(!) {warning}" for warning in warnings(results)]
    return "\n\n".join([*(each.text() for each in tables(results)), *(["\n".join(notes)] if notes else [])])


def _level(results: Results, level: int) -> str:
    return f"{level} (!)" if results.warnings(level) else str(level)
