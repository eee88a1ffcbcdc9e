"""Who has something to write does so in turns."""

from __future__ import annotations

import asyncio

from gateway.turns import Turns


async def test_turns_come_in_order_and_not_within_the_question() -> None:
    turns, had = Turns(), list[str]()
    turns.ask(lambda: had.append("a"))
    turns.ask(lambda: had.append("b"))
    assert had == []
    await asyncio.sleep(0)
    # Whoever was woken with them may still add something.
    assert had == []
    await asyncio.sleep(0)
    assert had == ["a", "b"]


async def test_a_crowd_lets_the_loop_do_other_things_in_between() -> None:
    turns, had = Turns(), list[int]()
    for number in range(1000):
        turns.ask(lambda number=number: had.append(number))  # type: ignore[misc]
    seen = set()
    while len(had) < 1000:
        await asyncio.sleep(0)
        seen.add(len(had))
    assert had == list(range(1000))
    assert len(seen) > 5


async def test_who_asks_in_its_turn_waits_for_all_the_others() -> None:
    turns, had = Turns(), list[str]()

    def again() -> None:
        had.append("a")
        if len(had) < 3:
            turns.ask(again)

    turns.ask(again)
    turns.ask(lambda: had.append("b"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert had == ["a", "b", "a"]
