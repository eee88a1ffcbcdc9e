"""Answers in memory keep the contract."""

from __future__ import annotations

import pytest

from cache.base import Which
from cache.memory import MemoryCache
from tests.cache.contract import ANNS, ANY, CLAIM_S, MOST_BYTES, Bench, CacheContract, answered
from tests.turning import Turned


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = Turned()
        cache = MemoryCache(clock, MOST_BYTES, CLAIM_S)
        return Bench(cache, cache, clock.turn)


async def test_what_was_let_go_of_for_want_of_room_is_not_remembered() -> None:
    cache = MemoryCache(Turned(), MOST_BYTES, CLAIM_S)
    for number in range(20_000):
        await answered(cache, f"question {number}", f"gen_{number}")
    assert len(cache._due) < 5 * len(cache._kept) + 2000
    assert len(cache._kept) < 1000


async def test_a_question_that_was_purged_leaves_nothing_when_its_run_comes_back() -> None:
    cache = MemoryCache(Turned(), MOST_BYTES, CLAIM_S)
    assert await cache.claim("question", "gen_a", ANY, ANNS) is None
    await cache.purge(Which())
    await cache.renew({"question": "gen_a"})
    assert not await cache.keep("question", "gen_a", b"yes", 60)
    await cache.release("question", "gen_a")
    assert not cache._kept
