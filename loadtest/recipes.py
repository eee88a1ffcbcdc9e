"""Servers that several benches stand beside each other: Hearth by what answers there, and what it is held against."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from loadtest.servers import MODEL, QUIET, Recipe

HOST = "127.0.0.1"


def scripted(name: str, knobs: str = "", options: tuple[str, ...] = ()) -> Recipe:
    """Hearth with its scripted engine, whose knobs are as in `tokens=64&token_ms=20`."""
    return _hearth(name, f"scripted:?{knobs}", options)


def relay(name: str, url: str) -> Recipe:
    """Hearth in front of another server."""
    return _hearth(name, f"openai:{url}/v1")


def vllm(name: str, source: str, knobs: str, options: tuple[str, ...] = (), loud: bool = False) -> Recipe:
    """Hearth with vLLM in its own processes; a `loud` one logs what vLLM logs."""
    recipe = _hearth(name, f"vllm:{source}?{knobs}", options)
    told: Mapping[str, str] = {"VLLM_LOGGING_LEVEL": "INFO"} if loud else {}
    return Recipe(name, recipe.command, recipe.ready, {**QUIET, **told})


def upstream(name: str, prefill_ms: float = 0.0, token_ms: float = 0.0) -> Recipe:
    """The load test's own upstream, which answers at a stated pace."""
    pace = ["--prefill-ms", str(prefill_ms), "--token-ms", str(token_ms)]
    return Recipe(name, [sys.executable, "-m", "loadtest.upstream", "{port}", *pace], "/health", QUIET)


def _hearth(name: str, source: str, options: tuple[str, ...] = ()) -> Recipe:
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--model", f"{MODEL}={source}"]
    return Recipe(name, [*command, *options], "/readyz", QUIET)
