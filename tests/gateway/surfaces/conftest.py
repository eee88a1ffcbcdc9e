"""Servers that the official SDKs are tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.serving import serving


class Reached(NamedTuple):
    """Where an SDK finds its models."""

    url: str
    model: str


# A fixture that gives a Reached with a real engine behind it is one more name here.
@pytest.fixture(params=["scripted"])
async def openai_url(request: pytest.FixtureRequest) -> AsyncIterator[Reached]:
    """A base URL and a model for the official SDKs, on each kind of engine."""
    if request.param == "scripted":
        async with serving("demo=scripted:?tokens=24&token_ms=1") as served:
            yield Reached(f"{served.url}/v1", "demo")
    else:
        yield request.getfixturevalue(request.param)
