"""A fake server, each client, each transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from fake_hearth import FakeHearth, serving
from sides import HASTE, Async, Sync


@pytest.fixture
def fake() -> Iterator[FakeHearth]:
    with serving() as server:
        yield server


@pytest.fixture(params=[Sync, Async])
async def client(request: pytest.FixtureRequest, fake: FakeHearth) -> AsyncIterator[Sync | Async]:
    made: Sync | Async = request.param(fake.url, HASTE)
    yield made
    await made.close()


@pytest.fixture(params=["sse", "ws"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)
