"""The stand-in for Replicate, and a model on it, for the tests beside this file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engines.replicate.engine import ReplicateEngine
from tests.engines.replicate.stand_in import StandIn, standing_in
from tests.engines.replicate.warming import warm


@pytest.fixture
async def platform() -> AsyncIterator[StandIn]:
    async with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
async def engine(platform: StandIn) -> AsyncIterator[ReplicateEngine]:
    """The streaming model, warm."""
    engine = await warm(platform)
    yield engine
    await engine.close()
