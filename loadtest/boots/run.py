"""Boots of the bundled model, turn by turn: Hearth's first and those after it, and `vllm serve`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from loadtest import processes
from loadtest.boots.boot import Boot, watch
from loadtest.plan import PlanError
from loadtest.servers import LEAN, MODEL, QUIET, Recipe, Server, started

FIRST: Final = "first"
AGAIN: Final = "again"
SERVERS: Final = ("hearth", "before", "vllm-uni", "vllm")

_KV: Final = "1073741824"
_WEIGHTS: Final = "engines/campfire/model"


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and whether an older Hearth is measured beside this one."""

    rounds: int = 3
    agains: int = 3
    before: Path | None = None
    """A checkout of it."""
    only: Sequence[str] = ()
    """Names of servers; none stands for all."""

    def __post_init__(self) -> None:
        for name, value, least in (("rounds", self.rounds, 1), ("boots again", self.agains, 0)):
            if not least <= value <= 50:
                raise PlanError(f"{name} must be from {least} to 50, not {value}")
        if strange := set(self.only) - set(SERVERS):
            raise PlanError(f"there is no server {min(strange)!r}; there are {', '.join(SERVERS)}")
        if self.before is not None and not (self.before / "gateway").is_dir():
            raise PlanError(f"{self.before} is no checkout of Hearth")

    def recipes(self, here: Path) -> list[Recipe]:
        """The servers of one round; `here` is this checkout."""
        hearth = Recipe("hearth", _hearth(), "/readyz", QUIET, here)
        before = [replace(hearth, name="before", folder=self.before.resolve())] if self.before else []
        every = [hearth, *before, _vllm("vllm-uni", here, lean=True), _vllm("vllm", here, lean=False)]
        return [recipe for recipe in every if recipe.name in (self.only or SERVERS)]


@dataclass(frozen=True, slots=True)
class Results:
    """Every boot, by server and by whether it was the first of its server, in the order of the rounds."""

    boots: dict[tuple[str, str], list[Boot]] = field(default_factory=dict)

    def note(self, server: str, which: str, boot: Boot) -> None:
        """Add one."""
        self.boots.setdefault((server, which), []).append(boot)

    def as_json(self) -> list[dict[str, Any]]:
        """All of them."""
        return [
            {"server": server, "boot": which, **asdict(boot)}
            for (server, which), boots in self.boots.items()
            for boot in boots
        ]


def boots(plan: Plan, here: Path, folder: Path, say: Callable[[str], None]) -> Results:
    """Boot all of it; the servers' logs are left in `folder`. Raises ServerError."""
    results = Results()
    for number in range(1, plan.rounds + 1):
        for recipe in plan.recipes(here):
            again = 0 if recipe.name.startswith("vllm") else plan.agains
            for which, boot in _boots(recipe, again, folder):
                results.note(recipe.name, which, boot)
                say(f"round {number}, {recipe.name:8} {which}: {boot.first_token:.2f} s to the first token")
    return results


def _boots(recipe: Recipe, again: int, folder: Path) -> Iterator[tuple[str, Boot]]:
    began = time.monotonic()
    with started(recipe, folder) as (server, process):
        port = int(server.url.rpartition(":")[2])

        def lives() -> bool:
            return process.poll() is None

        yield FIRST, _counted(server, {}, watch(port, began, lives))
        for _ in range(again):
            _end_engine(server)
            before = processes.look(server.pid)
            yield AGAIN, _counted(server, before, watch(port, time.monotonic(), lives))


def _counted(server: Server, before: dict[int, processes.Process], boot: Boot) -> Boot:
    used = processes.used(before, processes.look(server.pid))
    return replace(boot, cpu=sum(process.cpu_seconds for process in used))


def _end_engine(server: Server) -> None:
    """Kill the part that runs the model, and wait until it is gone: what asks now needs a boot."""
    [core] = [pid for pid, process in processes.look(server.pid).items() if not process.front]
    os.kill(core, signal.SIGKILL)
    while core in processes.look(server.pid):
        time.sleep(0.005)


def _hearth() -> Sequence[str]:
    return [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--model", f"{MODEL}=vllm:bundled"]


def _vllm(name: str, here: Path, lean: bool) -> Recipe:
    """vLLM's own server: as it comes, or in as few processes as it can and with nothing compiled.

    As it comes it would take most of the machine's memory for its KV cache; here it gets what Hearth's has.
    """
    module = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(here / _WEIGHTS)]
    served = ["--host", "127.0.0.1", "--port", "{port}", "--served-model-name", MODEL, "--kv-cache-memory-bytes", _KV]
    few = ["--enforce-eager", "--distributed-executor-backend", "uni"] if lean else []
    return Recipe(name, [*module, *served, *few], "/health", LEAN if lean else QUIET, here)
