"""What every history must keep. A store is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from engines.history import ARRIVALS_KEPT_S, BOOTS_KEPT, BOOTS_KEPT_S, QUARTER_S, History

NOW: Final = 1_900_000_800
"""When the time of a bench begins: with a quarter hour."""
DAY_S: Final = 86_400


class Bench(NamedTuple):
    """One store, seen from two processes; `turn` lets seconds pass."""

    here: History
    elsewhere: History
    turn: Callable[[float], None]


class HistoryContract:
    async def test_an_empty_history_knows_nothing(self, bench: Bench) -> None:
        assert list(await bench.here.boots("demo/1")) == []
        assert dict(await bench.here.arrivals("demo", 0)) == {}

    async def test_boots_are_remembered_for_each_engine_the_newest_last(self, bench: Bench) -> None:
        for seconds in (70.25, 60.5, 80.0):
            await bench.here.booted("demo/1", seconds)
        await bench.here.booted("demo/2", 1e-3)
        assert list(await bench.elsewhere.boots("demo/1")) == [70.25, 60.5, 80.0]
        assert list(await bench.elsewhere.boots("demo/2")) == [1e-3]

    async def test_only_the_last_boots_are_remembered(self, bench: Bench) -> None:
        for number in range(BOOTS_KEPT + 3):
            await (bench.here, bench.elsewhere)[number % 2].booted("demo/1", float(number))
            await bench.here.booted("demo/2", 5.0)
        assert list(await bench.here.boots("demo/1")) == [float(number) for number in range(3, BOOTS_KEPT + 3)]

    async def test_boots_of_an_engine_that_is_no_more_are_forgotten(self, bench: Bench) -> None:
        await bench.here.booted("demo/1", 70.0)
        bench.turn(0.9 * BOOTS_KEPT_S)
        assert list(await bench.here.boots("demo/1")) == [70.0]
        await bench.here.booted("demo/2", 5.0)
        bench.turn(0.2 * BOOTS_KEPT_S)
        await bench.here.booted("demo/2", 6.0)
        assert list(await bench.here.boots("demo/1")) == []
        assert list(await bench.here.boots("demo/2")) == [5.0, 6.0]

    async def test_arrivals_add_up_by_model_and_quarter_hour(self, bench: Bench) -> None:
        before = NOW - QUARTER_S
        await bench.here.came({("demo", before): 2, ("demo", NOW): 3, ("other", NOW): 5})
        await bench.elsewhere.came({("demo", NOW): 4})
        await bench.elsewhere.came({})
        assert dict(await bench.here.arrivals("demo", 0)) == {before: 2, NOW: 7}
        assert dict(await bench.elsewhere.arrivals("other", 0)) == {NOW: 5}

    async def test_arrivals_that_are_told_at_once_all_count(self, bench: Bench) -> None:
        await asyncio.gather(*(history.came({("demo", NOW): 1}) for history in bench[:2] for _ in range(20)))
        assert dict(await bench.here.arrivals("demo", 0)) == {NOW: 40}

    async def test_arrivals_of_many_weeks_are_told_from_a_time_on_in_their_order(self, bench: Bench) -> None:
        quarters = [NOW - days * DAY_S for days in range(55, -1, -1)]
        await bench.here.came({("demo", quarter): index + 1 for index, quarter in enumerate(quarters)})
        told = await bench.elsewhere.arrivals("demo", 0)
        assert list(told.items()) == [(quarter, index + 1) for index, quarter in enumerate(quarters)]
        assert list(await bench.elsewhere.arrivals("demo", quarters[20])) == quarters[20:]
        assert list(await bench.elsewhere.arrivals("demo", quarters[20] + 0.5)) == quarters[21:]

    async def test_arrivals_a_little_ahead_of_this_clock_are_told_too(self, bench: Bench) -> None:
        ahead = [NOW + hours * 3_600 for hours in range(0, 7 * 24, 12)]
        await bench.here.came({("demo", quarter): 1 for quarter in ahead})
        assert list(await bench.here.arrivals("demo", NOW)) == ahead

    async def test_what_came_too_long_ago_is_forgotten(self, bench: Bench) -> None:
        await bench.here.came({("demo", NOW): 1, ("demo", NOW + QUARTER_S): 2})
        bench.turn(ARRIVALS_KEPT_S)
        assert dict(await bench.here.arrivals("demo", 0)) == {NOW: 1, NOW + QUARTER_S: 2}
        bench.turn(1)
        assert dict(await bench.here.arrivals("demo", 0)) == {NOW + QUARTER_S: 2}

    async def test_what_came_too_long_ago_is_not_remembered_when_it_is_told(self, bench: Bench) -> None:
        await bench.here.came({("demo", NOW - 70 * DAY_S): 1, ("demo", NOW): 1})
        assert dict(await bench.here.arrivals("demo", 0)) == {NOW: 1}
