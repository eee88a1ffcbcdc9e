"""Predictors of real Cog, each on a folder beside this file, run by the interpreter that runs the tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from engines import registry
from engines.cog.engine import CogEngine
from tests.engines.cog.carrier import MemoryPorter

FOLDERS = Path(__file__).parent / "folders"

Begin = Callable[..., Awaitable[CogEngine]]


@pytest.fixture(scope="module")
def porter() -> MemoryPorter:
    return MemoryPorter()


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory, porter: MemoryPorter) -> registry.Predictors:
    return registry.Predictors(tmp_path_factory.mktemp("cog"), {"PASSED": "on"}, porter=porter)


@pytest.fixture(scope="module")
def make(predictors: registry.Predictors) -> Callable[..., CogEngine]:
    def make(source: str, **knobs: str) -> CogEngine:
        if not source.startswith("http"):
            source, knobs = str(FOLDERS / source), {"python": sys.executable, **knobs}
        model = registry.ModelSource("it", "cog", source, knobs)
        (place,) = registry.build([model], predictors=predictors)
        assert isinstance(place.engine, CogEngine)
        return place.engine

    return make


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def begin(make: Callable[..., CogEngine]) -> AsyncIterator[Begin]:
    """A way to an engine that is warm; each is started once."""
    warm: dict[str, CogEngine] = {}

    async def begin(source: str, **knobs: str) -> CogEngine:
        name = f"{source} {knobs}"
        if name not in warm:
            engine = make(source, **knobs)
            await engine.start(lambda stage: None)
            warm[name] = engine
        return warm[name]

    yield begin
    for engine in warm.values():
        await engine.close()
