"""What every board must keep, and what one that replicas share must. Each is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from engines.base import State
from engines.board import Board, Sighting

LEASE_S = 10.0
KEPT_S = 10.0
"""How long the boards of a bench keep what they were told."""

WHOLE = Sighting(
    model="demo",
    state=State.BOOTING,
    stage="reading weights: 3 of 7 – “ü”",
    since=1_900_000_000.125,
    heard_at=1_900_000_001.5,
    beat_at=1_900_000_002.5,
    running=3,
    outstanding=4_000,
    tokens_per_s=55.5,
    boots=6,
    boot_s=70.25,
    ready_s=8.5,
    beats=9,
    beat_s=1.75,
    alarm="no answer for 5 s",
    next_at=1_900_000_100.0,
    next_why="its hours begin",
)


class Bench(NamedTuple):
    """Boards of one fleet: `join` gives one more replica's; `turn` lets seconds pass for what they share."""

    join: Callable[[str], Board]
    turn: Callable[[float], None]


def sighting(state: State = State.WARM, **facts: Any) -> Sighting:
    return Sighting(model="demo", state=state, stage="ready", since=1.0, **facts)


class BoardContract:
    async def test_a_replica_sees_whole_what_it_told(self, bench: Bench) -> None:
        here = bench.join("a")
        told = {"demo/1": WHOLE, "demo/2": sighting()}
        assert await here.exchange(told) == {engine: {"a": each} for engine, each in told.items()}

    async def test_what_is_told_replaces_what_was_told_before(self, bench: Bench) -> None:
        here = bench.join("a")
        await here.exchange({"demo/1": WHOLE, "demo/2": WHOLE})
        assert await here.exchange({"demo/2": sighting()}) == {"demo/2": {"a": sighting()}}
        assert await here.exchange({}) == {}

    async def test_a_lone_replica_leads_and_leads_again_after_it_resigned(self, bench: Bench) -> None:
        here = bench.join("a")
        for _ in range(2):
            assert await here.lead("demo/1", "boot", LEASE_S)
            assert await here.lead("demo/1", "boot", LEASE_S)
            await here.resign("demo/1", "boot")

    async def test_to_resign_what_one_never_had_is_harmless(self, bench: Bench) -> None:
        await bench.join("a").resign("demo/1", "keep")

    async def test_a_replica_has_the_name_it_was_given(self, bench: Bench) -> None:
        assert bench.join("a").replica == "a"


class SharedBoardContract(BoardContract):
    async def test_what_one_replica_told_the_others_see_whole(self, bench: Bench) -> None:
        here, there, third = map(bench.join, "abc")
        await here.exchange({"demo/1": WHOLE})
        await there.exchange({"demo/1": sighting(), "b/own": sighting(State.COLD)})
        assert await third.exchange({"demo/2": sighting()}) == {
            "demo/1": {"a": WHOLE, "b": sighting()},
            "b/own": {"b": sighting(State.COLD)},
            "demo/2": {"c": sighting()},
        }

    async def test_the_others_see_no_more_what_was_replaced(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        await here.exchange({"demo/1": WHOLE, "demo/2": WHOLE})
        await here.exchange({"demo/2": sighting()})
        assert await there.exchange({}) == {"demo/2": {"a": sighting()}}

    async def test_two_hundred_engines_of_a_replica_are_seen_whole(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        told = {f"https://gpu-{number}.example:8000/v1 of {'x' * 100}": WHOLE for number in range(200)}
        await here.exchange(told)
        assert await there.exchange({}) == {engine: {"a": each} for engine, each in told.items()}

    async def test_what_a_silent_replica_told_is_forgotten_while_others_go_on(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        await here.exchange({"demo/1": WHOLE})
        bench.turn(0.8 * KEPT_S)
        assert set(await there.exchange({"demo/2": sighting()})) == {"demo/1", "demo/2"}
        bench.turn(0.4 * KEPT_S)
        assert set(await there.exchange({"demo/2": sighting()})) == {"demo/2"}
        assert set(await here.exchange({"demo/1": WHOLE})) == {"demo/1", "demo/2"}

    async def test_one_replica_leads_an_engine_and_keeps_it_as_long_as_it_asks(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        for _ in range(3):
            assert await here.lead("demo/1", "keep", LEASE_S)
            bench.turn(0.8 * LEASE_S)
            assert not await there.lead("demo/1", "keep", LEASE_S)

    async def test_engines_and_roles_are_led_apart(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        assert await here.lead("demo/1", "keep", LEASE_S)
        assert await there.lead("demo/1", "boot", LEASE_S)
        assert await there.lead("demo/2", "keep", LEASE_S)

    async def test_of_many_who_ask_at_once_one_leads(self, bench: Bench) -> None:
        boards = [bench.join(f"r{number}") for number in range(8)]
        for engine in ("demo/1", "{}", "}{", "ü " * 50):
            led = await asyncio.gather(*(board.lead(engine, "boot", LEASE_S) for board in boards for _ in range(3)))
            leaders = {boards[index // 3].replica for index, leads in enumerate(led) if leads}
            assert len(leaders) == 1 and sum(led) == 3

    async def test_a_dead_replicas_lease_goes_to_another_and_not_before_its_time(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        assert await here.lead("demo/1", "keep", LEASE_S)
        bench.turn(0.9 * LEASE_S)
        assert not await there.lead("demo/1", "keep", LEASE_S)
        bench.turn(0.2 * LEASE_S)
        assert await there.lead("demo/1", "keep", LEASE_S)

    async def test_who_leads_may_shorten_its_lease(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        assert await here.lead("demo/1", "keep", LEASE_S)
        assert await here.lead("demo/1", "keep", 0.3 * LEASE_S)
        assert not await there.lead("demo/1", "keep", LEASE_S)
        bench.turn(0.4 * LEASE_S)
        assert await there.lead("demo/1", "keep", LEASE_S)

    async def test_a_replica_that_stood_still_past_its_lease_finds_that_another_leads(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        assert await here.lead("demo/1", "keep", LEASE_S)
        bench.turn(1.1 * LEASE_S)
        assert await there.lead("demo/1", "keep", LEASE_S)
        assert not await here.lead("demo/1", "keep", LEASE_S)
        await here.resign("demo/1", "keep")
        assert not await here.lead("demo/1", "keep", LEASE_S)

    async def test_who_resigns_is_followed_at_once(self, bench: Bench) -> None:
        here, there = map(bench.join, "ab")
        assert await here.lead("demo/1", "keep", LEASE_S)
        await here.resign("demo/1", "keep")
        assert await there.lead("demo/1", "keep", LEASE_S)
        assert not await here.lead("demo/1", "keep", LEASE_S)

    async def test_nobody_resigns_for_another(self, bench: Bench) -> None:
        here, there, third = map(bench.join, "abc")
        assert await here.lead("demo/1", "keep", LEASE_S)
        await there.resign("demo/1", "keep")
        assert not await third.lead("demo/1", "keep", LEASE_S)

    async def test_who_goes_takes_along_what_it_told_and_leads_nothing_more(self, bench: Bench) -> None:
        here, there, third = map(bench.join, "abc")
        await here.exchange({"demo/1": WHOLE})
        assert await here.lead("demo/1", "keep", LEASE_S) and await here.lead("demo/1", "boot", LEASE_S)
        assert await third.lead("demo/2", "keep", LEASE_S)
        await here.close()
        assert await there.exchange({}) == {}
        assert await there.lead("demo/1", "keep", LEASE_S) and await there.lead("demo/1", "boot", LEASE_S)
        assert not await there.lead("demo/2", "keep", LEASE_S)
