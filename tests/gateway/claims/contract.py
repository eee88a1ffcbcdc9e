"""What every store of claims must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.claims.base import Claim, Claims

KEEP_S = 100.0
"""How long the stores of a bench keep a claim."""


@dataclass
class Bench:
    """One store, seen from two processes if it can be; `turn` lets seconds pass."""

    here: Claims
    elsewhere: Claims
    turn: Callable[[float], None]


class ClaimsContract:
    async def test_the_first_claim_of_a_key_stands(self, bench: Bench) -> None:
        assert await bench.here.claim("k", Claim("gen_a", "d")) is None
        held = await bench.elsewhere.claim("k", Claim("gen_b", "e"))
        assert held is not None and held[:2] == ("gen_a", "d")
        assert 0 <= held.age_s < 5

    async def test_the_same_claim_made_again_is_no_other(self, bench: Bench) -> None:
        for claims in (bench.here, bench.here, bench.elsewhere):
            assert await claims.claim("k", Claim("gen_a", "d")) is None

    async def test_keys_do_not_meet(self, bench: Bench) -> None:
        assert await bench.here.claim("k", Claim("gen_a", "d")) is None
        assert await bench.here.claim("l", Claim("gen_b", "d")) is None

    async def test_of_many_who_claim_at_once_one_wins_and_all_others_hear_of_it(self, bench: Bench) -> None:
        stores = [bench.here, bench.elsewhere] * 20
        told = await asyncio.gather(
            *(store.claim("k", Claim(f"gen_{index}", "d")) for index, store in enumerate(stores))
        )
        [winner] = [f"gen_{index}" for index, held in enumerate(told) if held is None]
        assert {held.generation for held in told if held is not None} == {winner}

    async def test_a_claim_makes_room_for_who_names_it(self, bench: Bench) -> None:
        assert await bench.here.claim("k", Claim("gen_a", "d")) is None
        assert await bench.elsewhere.claim("k", Claim("gen_b", "d"), "gen_a") is None
        held = await bench.here.claim("k", Claim("gen_c", "d"), "gen_a")
        assert held is not None and held.generation == "gen_b"

    async def test_of_many_who_replace_a_claim_one_wins(self, bench: Bench) -> None:
        await bench.here.claim("k", Claim("gen_a", "d"))
        stores = [bench.here, bench.elsewhere] * 20
        told = await asyncio.gather(
            *(store.claim("k", Claim(f"gen_{index}", "d"), "gen_a") for index, store in enumerate(stores))
        )
        assert sum(held is None for held in told) == 1

    async def test_a_key_given_back_is_free(self, bench: Bench) -> None:
        await bench.here.claim("k", Claim("gen_a", "d"))
        await bench.here.release("k", "gen_a")
        assert await bench.elsewhere.claim("k", Claim("gen_b", "d")) is None

    async def test_who_looks_sees_the_claim_that_stands_and_takes_nothing(self, bench: Bench) -> None:
        assert await bench.here.peek("k") is None
        await bench.here.claim("k", Claim("gen_a", "d"))
        bench.turn(20)
        for claims in (bench.here, bench.elsewhere):
            held = await claims.peek("k")
            assert held is not None and held[:2] == ("gen_a", "d")
        await bench.elsewhere.release("k", "gen_a")
        assert await bench.here.peek("k") is None

    async def test_of_many_who_give_a_key_back_one_is_told_that_it_had_it(self, bench: Bench) -> None:
        await bench.here.claim("k", Claim("gen_a", "d"))
        assert not await bench.elsewhere.release("k", "gen_b")
        stores = [bench.here, bench.elsewhere] * 20
        assert sum(await asyncio.gather(*(store.release("k", "gen_a") for store in stores))) == 1

    async def test_nobody_gives_back_what_another_has(self, bench: Bench) -> None:
        await bench.here.claim("k", Claim("gen_a", "d"))
        for claims in (bench.here, bench.elsewhere):
            await claims.release("k", "gen_b")
            await claims.release("l", "gen_b")
        assert await bench.elsewhere.claim("k", Claim("gen_b", "d")) is not None

    async def test_a_claim_is_forgotten_when_its_time_is_over(self, bench: Bench) -> None:
        await bench.here.claim("k", Claim("gen_a", "d"))
        bench.turn(KEEP_S - 10)
        assert await bench.here.claim("k", Claim("gen_b", "d")) is not None
        bench.turn(11)
        assert await bench.elsewhere.claim("k", Claim("gen_c", "d")) is None
        held = await bench.here.claim("k", Claim("gen_d", "d"))
        assert held is not None and held.generation == "gen_c"
