"""Engines for models of the stand-in for Replicate."""

from __future__ import annotations

from engines.replicate.engine import ReplicateEngine
from engines.replicate.source import parse
from tests.engines.replicate.published import LLAMA
from tests.engines.replicate.stand_in import TOKEN, StandIn


def cold(platform: StandIn, source: str = LLAMA, token: str | None = TOKEN, **knobs: str) -> ReplicateEngine:
    """An engine for a model of the stand-in."""
    return ReplicateEngine(parse(source, {"url": f"{platform.url}/v1", **knobs}), token, poll_s=0.005)


async def warm(platform: StandIn, source: str = LLAMA, **knobs: str) -> ReplicateEngine:
    """A started engine; whoever asks for it closes it."""
    engine = cold(platform, source, **knobs)
    await engine.start(lambda stage: None)
    return engine
