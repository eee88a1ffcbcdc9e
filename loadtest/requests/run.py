"""Plain requests for one token: at Hearth, at Hearth as a relay, at LiteLLM's proxy, and at servers that do nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from loadtest.drivers import Address
from loadtest.exchange import HttpAnswer, post
from loadtest.recipes import HOST, relay, scripted, upstream
from loadtest.requests.results import HEARTH, LITELLM, RELAY, STARLETTE, UPSTREAM, Plan, Results
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

        def start(recipe: Recipe) -> Server:
            say(f"starting {recipe.name}")
            return stack.enter_context(running(recipe, folder))

        behind = start(upstream(UPSTREAM))
        recipes = {HEARTH: scripted(HEARTH, "tokens=1"), RELAY: relay(RELAY, behind.url), STARLETTE: _starlette()}
        if plan.litellm is not None:
            recipes[LITELLM] = litellm(plan.litellm, behind.url, folder)
        servers = {UPSTREAM: behind, **{name: start(recipe) for name, recipe in recipes.items()}}
        targets = [_target(name, servers) for name in plan.names]
        rounds: Rounds[Turn] = Rounds(plan.names)
        for target in targets:
            turn(target, plan.streams, min(1.0, plan.seconds))
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for target in targets:
                rounds.note(target.name, turn(target, plan.streams, plan.seconds))
    return Results(plan, rounds)


def _target(name: str, servers: Mapping[str, Server]) -> Target:
    address = Address.of(servers[name].url)
    question = post(address, "/v1/chat/completions", json.dumps(_QUESTION).encode())
    return Target(name, address, question, OneToken, servers[name].pid)


def _starlette() -> Recipe:
    served = f"loadtest.requests.constant:app --host {HOST} --port {{port}} --loop uvloop --http httptools".split()
    quiet = ["--no-access-log", "--log-level", "warning"]
    return Recipe(STARLETTE, [sys.executable, "-m", "uvicorn", *served, *quiet], "/health", QUIET)


def litellm(program: Path, url: str, folder: Path) -> Recipe:
    """LiteLLM's proxy in front of that upstream, with the settings that its documentation gives for production."""
    config = folder / "litellm.json"
    told = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{url}/v1", "api_key": "none"},
            }
        ],
        "litellm_settings": {"set_verbose": False, "request_timeout": 600},
    }
    # YAML can hold JSON.
    config.write_text(json.dumps(told), encoding="utf-8")
    command = [str(program), "--config", str(config), "--host", HOST, "--port", "{port}", "--num_workers", "1"]
    environment = {
        **QUIET,
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # Nobody else can reach it.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    return Recipe(LITELLM, command, "/health/liveliness", environment)
