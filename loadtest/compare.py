"""Hearth beside plain vLLM: the same engine, the same load, turn by turn."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.plan import Plan, Shape
from loadtest.report import HEAD, Figures, cells, table
from loadtest.runs import run
from loadtest.servers import MODEL, Recipe, Server, running

RATIOS: dict[str, Callable[[Figures], float]] = {
    "tok/s": lambda figures: figures.tokens_per_second,
    "TTFT p50": lambda figures: figures.first.p50,
    "TTFT p99": lambda figures: figures.first.p99,
    "gap p99": lambda figures: figures.gap.p99,
    "front us/tok": lambda figures: figures.front_us_per_token,
    "total us/tok": lambda figures: figures.total_us_per_token,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which loads, how often, on which servers; the first server is measured against the second."""

    recipes: tuple[Recipe, Recipe]
    levels: Sequence[int]
    rounds: int
    max_tokens: int
    requests_per_stream: int
    say: Callable[[str], None]

    def plan(self, level: int, number: int) -> Plan:
        """Return the load of one turn; both servers get the same prompts, and each round gets its own."""
        shape = Shape(MODEL, max_tokens=self.max_tokens, seed=number * 10_000 + level)
        return Plan(shape, requests=max(12, level * self.requests_per_stream), streams=level, seconds=300)


class Results:
    """What each server measured, by level, in the order of the rounds."""

    def __init__(self, names: tuple[str, str], levels: Sequence[int]) -> None:
        self.names = names
        self.runs: dict[tuple[str, int], list[Figures]] = {(name, level): [] for name in names for level in levels}
        self._levels = levels

    def tables(self) -> str:
        """Return the table of median runs and the table of ratios."""
        head, rows = ["streams", "server", *HEAD], []
        for level in self._levels:
            rows += [[str(level), name, *cells(_median_run(self.runs[name, level]))] for name in self.names]
        ratios = [[str(level), *(self._ratio(level, of) for of in RATIOS.values())] for level in self._levels]
        title = "{}/{}, median of the rounds' ratios, least..most".format(*self.names)
        return "\n\n".join([table(head, rows), title + ":", table(["streams", *RATIOS], ratios)])

    @property
    def failed(self) -> bool:
        """Some request of some run was not answered as it should have been."""
        return any(figures.errors for runs in self.runs.values() for figures in runs)

    def as_json(self) -> list[dict[str, Any]]:
        """Return every run."""
        return [
            {"server": name, "streams": level, "round": number, **figures.as_json()}
            for (name, level), runs in self.runs.items()
            for number, figures in enumerate(runs, 1)
        ]

    def _ratio(self, level: int, of: Callable[[Figures], float]) -> str:
        ours, theirs = (self.runs[name, level] for name in self.names)
        ratios = [of(a) / (of(b) or math.nan) for a, b in zip(ours, theirs, strict=True)]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def compare(comparison: Comparison, out: Path) -> Results:
    """Run all of it, and leave results.json, table.md and the servers' logs in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    names = (comparison.recipes[0].name, comparison.recipes[1].name)
    results = Results(names, comparison.levels)
    with ExitStack() as stack:
        servers = []
        for recipe in comparison.recipes:
            comparison.say(f"starting {recipe.name}")
            servers.append(stack.enter_context(running(recipe, out)))
        for server in servers:
            run(comparison.plan(max(comparison.levels), 0), server.url, None)
        _take_turns(comparison, servers, results)
    (out / "results.json").write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    (out / "table.md").write_text(results.tables() + "\n", encoding="utf-8")
    return results


def _take_turns(comparison: Comparison, servers: Sequence[Server], results: Results) -> None:
    """A B A B: a machine that grows slower with time is so for both, and only one server is loaded at a time."""
    for number in range(1, comparison.rounds + 1):
        for level in comparison.levels:
            for server in servers:
                figures = run(comparison.plan(level, number), server.url, server.pid, server.behind)
                results.runs[server.name, level].append(figures)
                comparison.say(f"round {number}, {level:4} streams, {server.name:6}  " + "  ".join(cells(figures)))


def _median_run(runs: Sequence[Figures]) -> Figures:
    """Return the run with the middle speed, whole: a row of medians would be a run that never was."""
    return sorted(runs, key=lambda figures: figures.tokens_per_second)[len(runs) // 2]
