"""While the shared store is away each process shares by itself, and afterwards with all again."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from cache.base import Unavailable, Which
from cache.fallback import Fallback
from cache.memory import MemoryCache
from tests.cache.contract import ANNS, ANY, CLAIM_S, MOST_BYTES, TTL_S, Bench, CacheContract, answered
from tests.turning import Turned


class Leaving(MemoryCache):
    """A store that may be away."""

    away = False
    asked = 0

    def _find(self, key: str) -> Any:
        self.asked += 1
        if self.away:
            raise Unavailable("it is away")
        return super()._find(key)

    async def purge(self, which: Which) -> int:
        if self.away:
            raise Unavailable("it is away")
        return await super().purge(which)


class Two(NamedTuple):
    """Two processes, what they share, and their clock."""

    here: Fallback
    elsewhere: Fallback
    shared: Leaving
    clock: Turned


@pytest.fixture
def two() -> Two:
    clock = Turned()
    shared = Leaving(clock, MOST_BYTES, CLAIM_S)
    here, elsewhere = [Fallback(shared, MemoryCache(clock, MOST_BYTES, CLAIM_S), clock) for _ in range(2)]
    return Two(here, elsewhere, shared, clock)


class TestFallbackCache(CacheContract):
    @pytest.fixture
    def bench(self, two: Two) -> Bench:
        return Bench(two.here, two.elsewhere, two.clock.turn)


async def test_while_it_is_away_each_process_has_one_run_for_equal_questions(two: Two) -> None:
    two.shared.away = True
    assert await two.here.claim("k", "gen_a", ANY, ANNS) is None
    held = await two.here.claim("k", "gen_b", ANY, ANNS)
    assert held is not None and held.generation == "gen_a"
    assert await two.elsewhere.claim("k", "gen_c", ANY, ANNS) is None
    assert await two.here.keep("k", "gen_a", b"yes", TTL_S)
    held = await two.here.look("k")
    assert held is not None and held.answer == b"yes"
    assert not two.here.available


async def test_what_is_away_is_asked_again_after_a_while_and_not_before(two: Two) -> None:
    two.shared.away = True
    for _ in range(20):
        await two.here.look("k")
    assert two.shared.asked == 1
    two.shared.away = False
    two.clock.turn(2)
    await answered(two.here, "k")
    assert two.here.available
    assert await two.elsewhere.look("k") is not None


async def test_an_answer_is_kept_where_its_claim_was_made(two: Two) -> None:
    two.shared.away = True
    assert await two.here.claim("k", "gen_a", ANY, ANNS) is None
    two.shared.away = False
    two.clock.turn(2)
    assert await two.here.keep("k", "gen_a", b"yes", TTL_S)
    assert await two.elsewhere.look("k") is None
    two.shared.away = True
    assert await two.elsewhere.claim("l", "gen_b", ANY, ANNS) is None


async def test_whoever_lets_go_of_answers_is_told_that_it_cannot_be_done_everywhere(two: Two) -> None:
    two.shared.away = True
    await answered(two.here, "k")
    with pytest.raises(Unavailable):
        await two.here.purge(Which())
    assert await two.here.look("k") is None
