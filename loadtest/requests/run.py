"""Plain requests for one token: at Hearth, at relays, Hearth's own among them, and at servers that do nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtest.address import Address
from loadtest.exchange import HttpAnswer, post
from loadtest.peers.recipes import Stage, recipe
from loadtest.plan import PlanError
from loadtest.recipes import HOST, scripted, upstream
from loadtest.requests.results import CONSTANT, HEARTH, UPSTREAM, Plan, Results
from loadtest.rounds import Rounds
from loadtest.servers import MODEL, QUIET, Recipe, Server, running
from loadtest.turn import Target, Turn, turn

_QUESTION: Final = {"model": MODEL, "messages": [{"role": "user", "content": "one word"}], "max_tokens": 1}


class OneToken(HttpAnswer):
    """A plain answer that an engine gave, and no cache."""

    @property
    def good(self) -> bool:
        """Whether it is."""
        return self.status == 200 and self.text is not None and self.outcome in ("", "MISS", "BYPASS")


def requests(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start all, take turns, end all. Raises ServerError."""
    with ExitStack() as stack:

        def start(made: Recipe) -> Server:
            say(f"starting {made.name}")
            return stack.enter_context(running(made, folder))

        servers = {made.name: start(made) for made in recipes(plan, folder)}
        targets = [_target(name, servers) for name in plan.names]
        rounds: Rounds[Turn] = Rounds(plan.names)
        for target in targets:
            turn(target, plan.streams, min(1.0, plan.seconds))
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for target in targets:
                rounds.note(target.name, turn(target, plan.streams, plan.seconds))
    return Results(plan, rounds)


def recipes(plan: Plan, folder: Path) -> list[Recipe]:
    """All that are asked; each that relays has an upstream of its own. Raises PlanError for one that does not relay."""
    stage = Stage(folder, {}, plan.peers)
    relays = [recipe(name, stage) for name in plan.relays]
    for relay in relays:
        if relay.behind is None:
            raise PlanError(f"{relay.name} relays to nobody")
    instant = upstream(UPSTREAM)
    relaying = [replace(relay, behind=instant) for relay in relays]
    return [scripted(HEARTH, "tokens=1"), *relaying, _constant(), instant]


def _target(name: str, servers: Mapping[str, Server]) -> Target:
    address = Address.of(servers[name].url)
    question = post(address, "/v1/chat/completions", json.dumps(_QUESTION).encode())
    return Target(name, address, question, OneToken, servers[name].pid)


def _constant() -> Recipe:
    served = f"loadtest.requests.constant:app --host {HOST} --port {{port}} --loop uvloop --http httptools".split()
    quiet = ["--no-access-log", "--log-level", "warning"]
    return Recipe(CONSTANT, [sys.executable, "-m", "uvicorn", *served, *quiet], "/health", QUIET)
