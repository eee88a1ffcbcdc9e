"""Claims in memory keep the contract, and are bounded."""

from __future__ import annotations

import pytest

from gateway.claims.base import Claim
from gateway.claims.memory import MemoryClaims
from tests.gateway.claims.contract import KEEP_S, Bench, ClaimsContract
from tests.turning import Turned


class TestMemoryClaims(ClaimsContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = Turned()
        claims = MemoryClaims(clock, KEEP_S)
        return Bench(claims, claims, clock.turn)


async def test_a_claim_tells_its_age() -> None:
    clock = Turned()
    claims = MemoryClaims(clock, KEEP_S)
    await claims.claim("k", Claim("gen_a", "d"))
    clock.turn(7)
    assert await claims.claim("k", Claim("gen_b", "d")) == Claim("gen_a", "d", 7)
    assert await claims.peek("k") == Claim("gen_a", "d", 7)


async def test_the_oldest_claims_go_when_there_are_too_many() -> None:
    claims = MemoryClaims(Turned(), KEEP_S, most=3)
    for index in range(5):
        await claims.claim(f"k{index}", Claim(f"gen_{index}", "d"))
    assert [claims.get(f"k{index}") is not None for index in range(5)] == [False, False, True, True, True]


async def test_claims_whose_time_is_over_are_let_go_of() -> None:
    clock = Turned()
    claims = MemoryClaims(clock, KEEP_S)
    for index in range(5):
        await claims.claim(f"k{index}", Claim(f"gen_{index}", "d"))
        clock.turn(KEEP_S / 4)
    assert len(claims._claims) == 4
