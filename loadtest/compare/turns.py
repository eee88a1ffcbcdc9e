"""Servers beside each other: the same load, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loadtest.arrivals import Closed
from loadtest.compare.results import Results, Turn
from loadtest.compare.tables import text
from loadtest.lengths import Lengths
from loadtest.machine import Machine, installed
from loadtest.plan import Plan, PlanError, Shape
from loadtest.report import cells
from loadtest.runs import run
from loadtest.servers import MODEL, Recipe, Server, running
from loadtest.workloads import Distinct

_MOST_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which loads, how often, on which servers, and which of them the others are measured against."""

    recipes: Sequence[Recipe]
    against: str
    levels: Sequence[int]
    rounds: int
    say: Callable[[str], None]
    command: str = ""
    max_tokens: int = 128
    requests_per_stream: int = 4
    seconds: float = 300.0
    temperature: float | None = None
    surface: str = "chat"
    clients: int = 1

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        if len(names) < 2 or len(set(names)) < len(names):
            raise PlanError(f"compared are two servers or more, each named once, not {', '.join(names)}")
        if self.against not in names:
            raise PlanError(f"{self.against} is not among the servers: {', '.join(names)}")
        if not 0 < self.rounds <= _MOST_ROUNDS:
            raise PlanError(f"rounds must be more than 0 and at most {_MOST_ROUNDS}, not {self.rounds}")

    @property
    def load(self) -> str:
        """What is asked of each of them."""
        plan = self.plan(1, 1)
        return f"{plan.surface}; closed loop; {plan.work}"

    def plan(self, level: int, number: int) -> Plan:
        """Return the load of one turn; all servers get the same prompts, and each round gets its own."""
        work = Distinct(tokens=Lengths.fixed(self.max_tokens), seed=number * 10_000 + level)
        requests = max(12, level * self.requests_per_stream)
        shape = Shape(MODEL, self.temperature)
        return Plan(shape, work, Closed(level), requests, seconds=self.seconds, surface=self.surface)


def compare(comparison: Comparison, out: Path) -> Results:
    """Run all of it, and leave results.json, table.md and the servers' logs in `out`. Raises ServerError."""
    out.mkdir(parents=True, exist_ok=True)
    machine = Machine.here()
    versions = {recipe.name: installed(recipe.command[0]) for recipe in comparison.recipes}
    with ExitStack() as stack:
        servers = []
        for recipe in comparison.recipes:
            comparison.say(f"starting {recipe.name}")
            servers.append(stack.enter_context(running(recipe, out)))
        for server in servers:
            run(comparison.plan(max(comparison.levels), 0), server.url, None, comparison.clients)
        turns = _take_turns(comparison, servers)
    results = Results(turns, comparison.against, comparison.load, comparison.command, machine, versions)
    (out / "results.json").write_text(json.dumps(results.as_json()), encoding="utf-8")
    (out / "table.md").write_text(text(results) + "\n", encoding="utf-8")
    return results


def _take_turns(comparison: Comparison, servers: Sequence[Server]) -> list[Turn]:
    """A B C, then C B A: a machine that grows slower with time is so for all, and nobody always comes first.

    Only one server is loaded at a time.
    """
    turns = []
    for number in range(1, comparison.rounds + 1):
        for level in comparison.levels:
            for server in servers if number % 2 else reversed(servers):
                plan = comparison.plan(level, number)
                figures = run(plan, server.url, server.pid, comparison.clients, behind=server.behind)
                turns.append(Turn(server.name, level, number, figures))
                comparison.say(f"round {number}, {level:4} streams, {server.name:8}  " + "  ".join(cells(figures)))
    return turns
