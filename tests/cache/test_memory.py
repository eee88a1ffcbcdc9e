"""Answers in memory keep the contract."""

from __future__ import annotations

import pytest

from cache.memory import MemoryCache
from tests.cache.contract import CLAIM_S, MOST_BYTES, Bench, CacheContract
from tests.turning import Turned


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = Turned()
        cache = MemoryCache(clock, MOST_BYTES, CLAIM_S)
        return Bench(cache, cache, clock.turn)
