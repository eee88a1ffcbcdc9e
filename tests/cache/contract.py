"""What every store of answers must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cache.base import Cache, Fresh, Label, Which

ANY = Fresh()
TTL_S = 100.0
CLAIM_S = 50.0
MOST_BYTES = 10_000
ANNS = Label("ann", "demo", "key_ann")


@dataclass
class Bench:
    """One store, seen from two processes if it can be; `turn` lets seconds pass."""

    here: Cache
    elsewhere: Cache
    turn: Callable[[float], None]


async def answered(cache: Cache, key: str, run: str = "gen_a", answer: bytes = b"yes", label: Label = ANNS) -> None:
    """Have a run claim a key, and answer."""
    assert await cache.claim(key, run, ANY, label) is None
    assert await cache.keep(key, run, answer, TTL_S)


class CacheContract:
    async def test_the_first_claim_stands_and_the_second_hears_of_its_run(self, bench: Bench) -> None:
        assert await bench.here.claim("k", "gen_a", ANY, ANNS) is None
        held = await bench.elsewhere.claim("k", "gen_b", ANY, ANNS)
        assert held is not None and (held.generation, held.answer) == ("gen_a", None)

    async def test_a_claim_made_again_by_its_run_is_its_own(self, bench: Bench) -> None:
        for cache in (bench.here, bench.here, bench.elsewhere):
            assert await cache.claim("k", "gen_a", ANY, ANNS) is None

    async def test_of_many_who_claim_at_once_one_runs_and_all_others_hear_of_it(self, bench: Bench) -> None:
        stores = [bench.here, bench.elsewhere] * 20
        told = await asyncio.gather(*(store.claim("k", f"gen_{i}", ANY, ANNS) for i, store in enumerate(stores)))
        [winner] = [f"gen_{index}" for index, held in enumerate(told) if held is None]
        assert {held.generation for held in told if held is not None} == {winner}

    async def test_an_answer_is_given_as_it_was_kept_with_its_age(self, bench: Bench) -> None:
        await answered(bench.here, "k", answer=b"\x00\xff yes")
        bench.turn(30)
        for held in (await bench.elsewhere.claim("k", "gen_b", ANY, ANNS), await bench.elsewhere.look("k")):
            assert held is not None and (held.generation, held.answer) == ("gen_a", b"\x00\xff yes")
            assert 29 < held.age_s < 35 and 65 < held.ttl_s < 71

    async def test_looking_claims_nothing(self, bench: Bench) -> None:
        assert await bench.here.look("k") is None
        assert await bench.elsewhere.claim("k", "gen_a", ANY, ANNS) is None

    async def test_an_answer_is_gone_when_its_time_is_over(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        bench.turn(TTL_S + 1)
        assert await bench.elsewhere.look("k") is None
        assert await bench.elsewhere.claim("k", "gen_b", ANY, ANNS) is None

    async def test_an_answer_that_is_too_old_makes_room(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        bench.turn(30)
        assert await bench.here.claim("k", "gen_b", Fresh(max_age_s=60), ANNS) is not None
        assert await bench.elsewhere.claim("k", "gen_c", Fresh(max_age_s=20), ANNS) is None
        assert await bench.here.keep("k", "gen_c", b"newer", TTL_S)
        held = await bench.elsewhere.claim("k", "gen_d", Fresh(max_age_s=20), ANNS)
        assert held is not None and (held.generation, held.answer) == ("gen_c", b"newer")

    async def test_an_answer_stays_for_others_until_a_new_one_is_kept(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        assert await bench.here.claim("k", "gen_b", Fresh(max_age_s=0), ANNS) is None
        held = await bench.elsewhere.claim("k", "gen_c", ANY, ANNS)
        assert held is not None and (held.generation, held.answer) == ("gen_a", b"yes")
        bench.turn(30)
        held = await bench.elsewhere.claim("k", "gen_c", Fresh(max_age_s=20), ANNS)
        assert held is not None and (held.generation, held.answer) == ("gen_b", None)
        await bench.here.release("k", "gen_b")
        held = await bench.elsewhere.look("k")
        assert held is not None and (held.generation, held.answer) == ("gen_a", b"yes")

    async def test_a_refresh_outlives_the_answer_that_it_replaces(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        bench.turn(TTL_S - 10)
        assert await bench.here.claim("k", "gen_b", Fresh(max_age_s=0), ANNS) is None
        bench.turn(20)
        held = await bench.elsewhere.claim("k", "gen_c", ANY, ANNS)
        assert held is not None and (held.generation, held.answer) == ("gen_b", None)
        assert await bench.here.keep("k", "gen_b", b"new", TTL_S)

    async def test_an_answer_larger_than_all_there_is_is_not_kept(self, bench: Bench) -> None:
        await answered(bench.here, "small")
        await bench.here.claim("k", "gen_a", ANY, ANNS)
        assert not await bench.here.keep("k", "gen_a", b"x" * (MOST_BYTES + 1), TTL_S)
        await bench.here.sweep()
        assert await bench.elsewhere.look("small") is not None
        assert await bench.elsewhere.claim("k", "gen_b", ANY, ANNS) is None

    async def test_an_answer_that_is_about_to_go_makes_room_where_it_has_to_last(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        bench.turn(TTL_S - 20)
        assert await bench.here.claim("k", "gen_b", Fresh(min_ttl_s=10), ANNS) is not None
        assert await bench.here.claim("k", "gen_b", Fresh(min_ttl_s=40), ANNS) is None

    async def test_whoever_wants_nothing_from_before_takes_the_claim_of_a_run_too(self, bench: Bench) -> None:
        await bench.here.claim("k", "gen_a", ANY, ANNS)
        assert await bench.elsewhere.claim("k", "gen_b", Fresh(max_age_s=0), ANNS) is None
        assert not await bench.here.keep("k", "gen_a", b"late", TTL_S)
        assert await bench.elsewhere.keep("k", "gen_b", b"new", TTL_S)
        held = await bench.here.look("k")
        assert held is not None and held.answer == b"new"

    async def test_a_run_makes_room_for_who_names_it(self, bench: Bench) -> None:
        await bench.here.claim("k", "gen_a", ANY, ANNS)
        assert await bench.elsewhere.claim("k", "gen_b", ANY, ANNS, "gen_a") is None
        held = await bench.here.claim("k", "gen_c", ANY, ANNS, "gen_a")
        assert held is not None and held.generation == "gen_b"

    async def test_a_claim_taken_back_is_free_and_nobody_takes_back_anothers(self, bench: Bench) -> None:
        await bench.here.claim("k", "gen_a", ANY, ANNS)
        await bench.elsewhere.release("k", "gen_b")
        assert await bench.here.claim("k", "gen_b", ANY, ANNS) is not None
        await bench.elsewhere.release("k", "gen_a")
        assert await bench.here.claim("k", "gen_b", ANY, ANNS) is None

    async def test_what_is_answered_is_not_taken_back(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        await bench.here.release("k", "gen_a")
        assert await bench.elsewhere.look("k") is not None

    async def test_a_claim_lasts_while_its_run_renews_it_and_no_longer(self, bench: Bench) -> None:
        await bench.here.claim("k", "gen_a", ANY, ANNS)
        for _ in range(3):
            bench.turn(CLAIM_S - 10)
            await bench.here.renew({"k": "gen_a", "other": "gen_x"})
            await bench.elsewhere.renew({"k": "gen_b"})
        assert await bench.elsewhere.look("k") is not None
        bench.turn(CLAIM_S + 1)
        await bench.here.renew({"k": "gen_a"})
        assert await bench.elsewhere.look("k") is None

    async def test_renewing_does_not_touch_an_answer(self, bench: Bench) -> None:
        await answered(bench.here, "k")
        bench.turn(TTL_S - 5)
        await bench.here.renew({"k": "gen_a"})
        bench.turn(6)
        assert await bench.here.look("k") is None

    async def test_a_run_without_a_claim_keeps_nothing(self, bench: Bench) -> None:
        assert not await bench.here.keep("k", "gen_a", b"yes", TTL_S)
        assert await bench.elsewhere.look("k") is None
        assert (await bench.here.totals()).bytes == 0

    async def test_answers_are_let_go_of_by_name_by_namespace_by_model_and_by_key(self, bench: Bench) -> None:
        for key, label in {"a": ANNS, "b": Label("ann", "other", "key_1"), "c": Label("bob", "demo", "key_2")}.items():
            await answered(bench.here, key, label=label)
        assert await bench.elsewhere.purge(Which(namespace="nobody")) == 0
        assert await bench.elsewhere.purge(Which(fingerprint="a", namespace="bob")) == 0
        assert await bench.elsewhere.purge(Which(model="demo", namespace="bob")) == 1
        assert [await bench.here.look(key) is not None for key in "abc"] == [True, True, False]
        assert await bench.here.purge(Which(fingerprint="a")) == 1
        assert await bench.here.purge(Which(key="key_2")) == 0
        assert await bench.here.purge(Which(key="key_1")) == 1
        assert await bench.here.totals() == (0, 0)

    async def test_what_is_being_answered_is_not_kept_when_it_was_let_go_of(self, bench: Bench) -> None:
        for key in "ab":
            await bench.here.claim(key, "gen_a", ANY, ANNS)
        assert await bench.elsewhere.purge(Which(namespace="bob")) == 0
        assert await bench.elsewhere.purge(Which(fingerprint="a", namespace="ann")) == 1
        assert [await bench.here.keep(key, "gen_a", b"late", TTL_S) for key in "ab"] == [False, True]

    async def test_past_the_budget_what_was_least_lately_asked_for_goes(self, bench: Bench) -> None:
        for key in "abc":
            await answered(bench.here, key, answer=b"x" * 2500)
            bench.turn(1)
        assert await bench.here.look("a") is not None
        await bench.here.sweep()
        bench.turn(10)
        await answered(bench.here, "d", answer=b"x" * 2500)
        await bench.here.sweep()
        assert [await bench.here.look(key) is not None for key in "abcd"] == [True, False, True, True]
        assert (await bench.here.totals()).bytes <= MOST_BYTES

    async def test_totals_follow_what_comes_and_goes(self, bench: Bench) -> None:
        assert await bench.here.totals() == (0, 0)
        for key in ("a", "b"):
            await answered(bench.here, key)
        entries, size = await bench.elsewhere.totals()
        assert entries == 2 and size > 6
        assert await bench.here.claim("a", "gen_z", Fresh(max_age_s=0), ANNS) is None
        assert await bench.here.keep("a", "gen_z", b"yes", TTL_S)
        assert await bench.elsewhere.totals() == (2, size)
        bench.turn(TTL_S + 1)
        await bench.here.sweep()
        assert await bench.here.totals() == (0, 0)
