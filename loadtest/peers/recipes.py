"""Hearth and its peers, each by its name: how it is started, and what stands behind it. No I/O."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from loadtest.peers.setup import NEEDS
from loadtest.plan import PlanError
from loadtest.servers import LEAN, MODEL, QUIET, Recipe

_LITELLM: Final = {
    **QUIET,
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    # It listens on this machine only, and has one key to check less.
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "BEHIND": "{behind}/v1",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What all of them serve, and where those lie that had to be set up."""

    model: Path
    """A folder that vLLM can load."""
    options: Mapping[str, str]
    """The engine's, as `vllm serve` names them; one that is `true` is a switch."""
    folder: Path


def hearth(stage: Stage) -> Recipe:
    """Hearth with vLLM of its own."""
    return _hearth("hearth", f"{MODEL}=vllm:{stage.model}?{urlencode(stage.options)}")


def hearth_relay(stage: Stage) -> Recipe:
    """Hearth in front of `vllm serve`."""
    return replace(_hearth("hearth-relay", f"{MODEL}=openai:{{behind}}/v1"), behind=vllm(stage))


def vllm(stage: Stage) -> Recipe:
    """`vllm serve` with its Python front end."""
    command = [sys.executable, "-m", "loadtest.peers.vllm_serve", "serve", str(stage.model)]
    served = f"--host 127.0.0.1 --port {{port}} --served-model-name {MODEL}"
    quiet = "--no-enable-log-requests --disable-uvicorn-access-log"
    engine = [f"--{name.replace('_', '-')}" + ("" if v == "true" else f"={v}") for name, v in stage.options.items()]
    return Recipe("vllm", [*command, *served.split(), *quiet.split(), *engine], "/health")


def vllm_rust(stage: Stage) -> Recipe:
    """`vllm serve` with its Rust front end, which is a file of vLLM's wheel for CUDA."""
    binary = NEEDS["vllm-rs"].made(stage.folder)
    rust = {"VLLM_USE_RUST_FRONTEND": "1", "VLLM_RUST_FRONTEND_PATH": str(binary)}
    return replace(vllm(stage), name="vllm-rs", environment=LEAN | rust)


def litellm(stage: Stage) -> Recipe:
    """LiteLLM's proxy in front of `vllm serve`, as its documentation advises for a machine of its own."""
    command = [str(NEEDS["litellm"].made(stage.folder)), "--config", str(Path(__file__).parent / "litellm.yaml")]
    served = f"--host 127.0.0.1 --port {{port}} --num_workers {os.cpu_count() or 1}"
    return Recipe("litellm", [*command, *served.split()], "/health/readiness", _LITELLM, behind=vllm(stage))


def litellm_granian(stage: Stage) -> Recipe:
    """The same on Granian, which LiteLLM calls a beta and says is faster."""
    uvicorn = litellm(stage)
    return replace(uvicorn, name="litellm-granian", command=[*uvicorn.command, "--run_granian"])


def starlette(stage: Stage) -> Recipe:
    """A bare relay in front of `vllm serve`."""
    command = [sys.executable, "-m", "loadtest.peers.relay", "--port", "{port}", "--behind", "{behind}"]
    return Recipe("starlette", command, "/health", QUIET, behind=vllm(stage))


def floor(_: Stage) -> Recipe:
    """A bare socket writer: as many frames as tokens are asked for, as fast as they are taken, and no engine."""
    return Recipe("floor", [sys.executable, "-m", "loadtest.peers.floor", "--port", "{port}"], "/health", QUIET)


def _hearth(name: str, model: str) -> Recipe:
    return Recipe(name, [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--model", model], "/readyz")


PEERS: Final[Mapping[str, Callable[[Stage], Recipe]]] = {
    "hearth": hearth,
    "vllm": vllm,
    "vllm-rs": vllm_rust,
    "hearth-relay": hearth_relay,
    "litellm": litellm,
    "litellm-granian": litellm_granian,
    "starlette": starlette,
    "floor": floor,
}


def recipe(name: str, stage: Stage) -> Recipe:
    """Return a peer's recipe. Raises PlanError for an unknown name, and for one that is not set up."""
    if name not in PEERS:
        raise PlanError(f"there is no peer called {name!r}; there are {', '.join(PEERS)}")
    if missing := unmet(name, stage.folder):
        raise PlanError(f"{name} is not set up: python -m loadtest peers setup {missing} --into {stage.folder}")
    return PEERS[name](stage)


def unmet(name: str, folder: Path) -> str | None:
    """Return what has to be set up for a peer, None where nothing has."""
    need = name.removesuffix("-granian")
    return need if need in NEEDS and not NEEDS[need].made(folder).exists() else None
