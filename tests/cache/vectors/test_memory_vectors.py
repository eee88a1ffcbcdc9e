"""The index in memory keeps the contract, and forgets by itself."""

from __future__ import annotations

import pytest

from cache.vectors.memory import MemoryVectors
from tests.cache.vectors.contract import EAST, MOST, TTL_S, Bench, VectorsContract, asked
from tests.turning import Turned


class TestMemoryVectors(VectorsContract):
    @pytest.fixture
    def bench(self) -> Bench:
        vectors = MemoryVectors(Turned(), MOST)
        return Bench(vectors, vectors)


async def test_the_oldest_go_first() -> None:
    vectors = MemoryVectors(Turned(), 2)
    for key in ("a", "b", "a", "c"):
        await asked(vectors, key, key, EAST)
    assert [len(await vectors.nearest(key, EAST, 0.5)) for key in "abc"] == [1, 0, 1]


async def test_what_is_too_old_is_not_found() -> None:
    clock = Turned()
    vectors = MemoryVectors(clock)
    await asked(vectors, "p", "k", EAST)
    clock.turn(TTL_S - 1)
    assert len(await vectors.nearest("p", EAST, 0.5)) == 1
    clock.turn(1)
    assert await vectors.nearest("p", EAST, 0.5) == []
