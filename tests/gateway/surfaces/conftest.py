"""Servers that the official SDKs are tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.serving import serving
from tests.vllm_server import FirstLight


class Reached(NamedTuple):
    """Where an SDK finds its models."""

    url: str
    model: str


@pytest.fixture
def campfire(served_vllm: FirstLight) -> Reached:
    """The bundled model on real vLLM."""
    return Reached(f"{served_vllm.url}/v1", "campfire")


@pytest.fixture(params=["scripted", "campfire"])
async def openai_url(request: pytest.FixtureRequest) -> AsyncIterator[Reached]:
    """A base URL and a model for the official SDKs, on each kind of engine."""
    if request.param == "scripted":
        async with serving("demo=scripted:?tokens=24&token_ms=1") as served:
            yield Reached(f"{served.url}/v1", "demo")
    else:
        yield request.getfixturevalue(request.param)
