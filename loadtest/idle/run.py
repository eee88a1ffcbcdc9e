"""Hearth and bare uvicorn by turns: what each holds as connections come that do nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from loadtest.address import Address
from loadtest.generations import begin
from loadtest.idle.connections import Connections
from loadtest.idle.memory import Memory, held
from loadtest.idle.plan import Plan
from loadtest.servers import MODEL, Recipe, Server, running
from loadtest.sockets import allow

BARE: Final = "uvicorn"
HEARTH: Final = "hearth"
SIDES: Final = (BARE, HEARTH)
_FIRST: Final = 50
"""So many come and go before anything is measured: what a first one brings stays, and is nobody's share."""
_HEADER_S: Final = "3600"
_SILENT_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Turn:
    """What one process held with no connection, and with so many as each level has."""

    held: Sequence[tuple[int, Memory]]

    def each(self) -> Memory:
        """KB for a connection, from the first level to the last one: the first ones have room that others left."""
        (less, before), (more, after) = self.held[-2 if len(self.held) == 2 else 1], self.held[-1]
        return after.less(before).each(more - less)

    def each_of_all(self) -> Memory:
        """KB for a connection, from none to the last level."""
        (_, before), (most, after) = self.held[0], self.held[-1]
        return after.less(before).each(most)


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn, by kind of connection and by side, in the order of the rounds."""

    plan: Plan
    turns: dict[tuple[str, str], list[Turn]] = field(default_factory=dict)

    def more(self, kind: str) -> list[Memory]:
        """How many KB more a connection costs in Hearth than in uvicorn in the same round."""
        pairs = zip(self.turns[kind, HEARTH], self.turns[kind, BARE], strict=True)
        return [ours.each().less(bare.each()) for ours, bare in pairs]

    def as_json(self) -> list[dict[str, Any]]:
        """Every look."""
        return [
            {"kind": kind, "server": side, "round": number, "connections": count, **memory._asdict()}
            for (kind, side), turns in self.turns.items()
            for number, turn in enumerate(turns, 1)
            for count, memory in turn.held
        ]


def idle(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start each server afresh for each turn, and end it; the logs are left in that folder.

    Raises PlanError, ServerError.
    """
    allow(plan.levels[-1])
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(plan)
    for number in range(1, plan.rounds + 1):
        for kind in plan.kinds:
            for side in SIDES:
                say(f"round {number} of {plan.rounds}: {kind}, {side}")
                results.turns.setdefault((kind, side), []).append(_turn(recipe(side, folder), kind, plan, folder))
    return results


def _turn(started: Recipe, kind: str, plan: Plan, folder: Path) -> Turn:
    with running(started, folder) as server, connections(server, kind) as crowd:
        looks = []
        for count in (0, *plan.levels):
            crowd.grow(count)
            crowd.rest(plan.settle_s)
            looks.append((count, held(server.pid)))
    return Turn(looks)


def connections(server: Server, kind: str) -> Connections:
    """Connections of that kind to a silent generation of that server; some have come and gone. Raises ServerError."""
    address = Address.of(server.url)
    path = begin(address) if server.name == HEARTH else "/"
    crowd = Connections(address, kind, path)
    crowd.grow(_FIRST)
    crowd.leave()
    return crowd


def recipe(side: str, folder: Path, module: Sequence[str] = ("-m",)) -> Recipe:
    """How a side is started; `module` are the words that stand before the name of a module that is run."""
    if side == BARE:
        return Recipe(BARE, [sys.executable, *module, "loadtest.idle.bare", "--port", "{port}"], "/readyz")
    source = f"{MODEL}=scripted:?prefill_ms={_SILENT_MS}"
    served = [sys.executable, *module, "gateway", "serve", "--port", "{port}", "--model", source]
    state = ["--state-file", str(folder / "idle.db"), "--files", str(folder / "files")]
    # A connection that asks nothing is closed, if not so soon; and nobody waits for what is never said.
    patience = ["--body-deadline-s", _HEADER_S, "--drain-s", "0"]
    return Recipe(HEARTH, [*served, *state, *patience], "/readyz")
