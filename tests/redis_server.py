"""Real Redis servers for tests: one that all share, and makers of servers of one's own to do harm to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.redis.local import LocalRedis


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """One server for the whole run. Use ids of your own, and delete nothing that is not yours."""
    with LocalRedis() as server:
        yield server.url
