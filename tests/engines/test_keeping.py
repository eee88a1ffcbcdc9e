"""The keeper's rounds, by one replica and by several, on a clock that only the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from engines.base import State
from engines.board import Away, Board, MemoryBoard, Sighting
from engines.errors import EngineError
from engines.habits import Bounds
from engines.history import History
from engines.hours import ActiveHours, zone_named
from engines.keeper import Plan
from engines.keeping import Keeper
from engines.learning import Learner, Wish
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Place, Seat
from tests.engines.fleet import Fleet, FleetBoard
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until

ALWAYS = ActiveHours.parse(["daily 00:00-24:00"], "UTC")
NEVER = ActiveHours.parse([], "UTC")
KEPT = Plan(ALWAYS, beat_s=30, idle_s=300)


class Hearted(Puppet):
    """A puppet whose heartbeats a test makes pass, fail or hang."""

    def __init__(self) -> None:
        super().__init__()
        self.beats = self.hanging = 0
        self.fault: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def beat(self) -> None:
        self.beats += 1
        self.hanging += 1
        try:
            await self.answers.wait()
        finally:
            self.hanging -= 1
        if self.fault is not None:
            raise self.fault


class Remembered:
    """A history in memory, which may be away."""

    def __init__(self) -> None:
        self.away = False
        self.took: dict[str, list[float]] = {}
        self.people: dict[tuple[str, int], int] = {}

    async def booted(self, engine: str, seconds: float) -> None:
        self._check()
        self.took.setdefault(engine, []).append(seconds)

    async def boots(self, engine: str) -> Sequence[float]:
        self._check()
        return self.took.get(engine, [])

    async def came(self, arrivals: Mapping[tuple[str, int], int]) -> None:
        self._check()
        for key, count in arrivals.items():
            self.people[key] = self.people.get(key, 0) + count

    async def arrivals(self, model: str, since: float) -> Mapping[int, int]:
        self._check()
        return {quarter: count for (name, quarter), count in self.people.items() if name == model and quarter >= since}

    async def close(self) -> None: ...

    def _check(self) -> None:
        if self.away:
            raise Away("It is away.")


class Replica:
    """One replica with one engine."""

    def __init__(
        self,
        clock: Turned,
        board: Board | None = None,
        plan: Plan = KEPT,
        history: History | None = None,
        wish: Wish | None = None,
    ) -> None:
        shared = None if board is None else "demo at a place"
        board = board or MemoryBoard("alone")
        self.clock, self.puppet, self.told = clock, Hearted(), list[bool]()
        self.pool = Pool([Place("demo", "demo", self.puppet, shared)], clock, wall=clock, board=board)
        self.pulse = Pulse(self.pool, board, history or Remembered(), clock, clock)
        self.plans = {"demo": plan}
        learner = Learner(self.plans, {"demo": wish}, history, clock, lambda model: None) if wish and history else None
        self.keeper = Keeper(self.pool, self.pulse, board, self.plans, clock, clock, self, learner)

    @property
    def seat(self) -> Seat:
        return self.pool.seats["demo"]

    def beat(self, model: str, seconds: float, *, passed: bool) -> None:
        self.told.append(passed)

    async def round(self, *, after: float = 0.0) -> None:
        """One round, and what it began, as far as that goes by itself."""
        self.clock.turn(after)
        await self.keeper.round()
        for _ in range(20):
            await asyncio.sleep(0)

    async def close(self) -> None:
        await self.keeper.close()
        await self.pool.close()


def missing(replica: Replica) -> None:
    """Its heartbeats fail from now on."""
    replica.puppet.fault = EngineError("engine_failed", "No pulse.")


async def rounds(*replicas: Replica, seconds: int) -> None:
    """A round of each in every second."""
    for _ in range(seconds):
        replicas[0].clock.turn(1)
        for replica in replicas:
            await replica.round()


async def test_a_heartbeat_comes_only_where_no_traffic_did_the_job() -> None:
    alone = Replica(Turned())
    await rounds(alone, seconds=30)
    assert (alone.seat.state, alone.puppet.beats) == (State.WARM, 0)
    await rounds(alone, seconds=1)
    assert (alone.puppet.beats, alone.told) == (1, [True])
    for _ in range(20):
        await rounds(alone, seconds=20)
        alone.seat.heard_at = alone.clock()
    assert alone.puppet.beats == 1
    await rounds(alone, seconds=30)
    assert alone.puppet.beats == 2
    await alone.close()


async def test_a_heartbeat_never_begins_while_another_is_under_way() -> None:
    alone = Replica(Turned())
    await alone.round()
    alone.puppet.answers.clear()
    await rounds(alone, seconds=90)
    assert (alone.puppet.beats, alone.puppet.hanging) == (1, 1)
    alone.puppet.answers.set()
    await rounds(alone, seconds=2)
    assert (alone.puppet.beats, alone.puppet.hanging) == (1, 0)
    await alone.close()


async def test_a_heartbeat_under_way_ends_with_the_server() -> None:
    alone = Replica(Turned())
    await alone.round()
    alone.puppet.answers.clear()
    await alone.round(after=30)
    assert alone.puppet.hanging == 1
    async with asyncio.timeout(5):
        await alone.close()
    assert (alone.puppet.hanging, alone.told) == (0, [])


async def test_heartbeats_that_fail_raise_an_alarm_come_sooner_and_boot_the_engine_anew() -> None:
    alone = Replica(Turned())
    await alone.round()
    missing(alone)
    await alone.round(after=30)
    assert (alone.puppet.beats, alone.seat.alarm) == (1, "No pulse.")
    await rounds(alone, seconds=4)
    assert alone.puppet.beats == 1
    await rounds(alone, seconds=1)
    assert alone.puppet.beats == 2
    await rounds(alone, seconds=10)
    assert (alone.puppet.beats, alone.puppet.starts) == (3, 1)
    await alone.round(after=1)
    assert (alone.puppet.starts, alone.puppet.stops, alone.seat.state) == (2, 1, State.WARM)
    alone.puppet.fault = None
    await alone.round(after=30)
    assert (alone.puppet.beats, alone.seat.alarm, alone.told) == (4, None, [False, False, False, True])
    await alone.close()


async def test_an_engine_that_speaks_to_callers_is_not_taken_for_dead() -> None:
    alone = Replica(Turned())
    await alone.round()
    missing(alone)
    for _ in range(10):
        await rounds(alone, seconds=31)
        assert alone.seat.alarm == "No pulse."
        alone.seat.heard_at = alone.clock() + 0.5
        await rounds(alone, seconds=1)
        assert alone.seat.alarm is None
    assert alone.puppet.starts == 1
    await alone.close()


async def test_heartbeats_of_an_engine_that_never_passes_one_do_not_boot_it_over_and_over() -> None:
    alone = Replica(Turned())
    missing(alone)
    await rounds(alone, seconds=3600)
    assert 8 <= alone.puppet.starts <= 14
    await alone.close()


async def test_a_heartbeat_that_breaks_by_a_fault_counts_as_missed(caplog: pytest.LogCaptureFixture) -> None:
    alone = Replica(Turned())
    await alone.round()
    alone.puppet.fault = ZeroDivisionError("a fault")
    await alone.round(after=30)
    await rounds(alone, seconds=4)
    assert (alone.puppet.beats, alone.seat.trouble.missed) == (1, 1)
    assert "a fault" in caplog.text and "a fault" not in str(alone.seat.alarm)
    await alone.close()


async def test_an_engine_that_was_stopped_under_its_heartbeat_raises_no_alarm() -> None:
    alone = Replica(Turned())
    await alone.round()
    alone.puppet.answers.clear()
    missing(alone)
    await alone.round(after=30)
    await alone.pool.cool("demo")
    alone.puppet.answers.set()
    await until(lambda: not alone.puppet.hanging)
    await alone.round()
    assert (alone.seat.alarm, alone.seat.trouble.failures) == (None, 0)
    await alone.close()


async def test_boots_that_fail_are_tried_again_ever_later_and_cost_the_next_life_nothing() -> None:
    alone = Replica(Turned())
    alone.puppet.boot_error = EngineError("boot_failed", "No room.")
    tried: list[float] = []
    began = alone.clock()
    while len(tried) < 9:
        before = alone.puppet.starts
        await alone.round(after=1)
        if alone.puppet.starts > before:
            tried.append(alone.clock() - began - 1)
    # A boot is seen to have failed in the round after it.
    assert [later - sooner for sooner, later in pairwise(tried)] == [5, 10, 20, 40, 80, 160, 300, 300]
    alone.puppet.boot_error = None
    await rounds(alone, seconds=301)
    assert (alone.seat.state, alone.puppet.stops) == (State.WARM, 9)
    await rounds(alone, seconds=60)
    assert (alone.puppet.starts, alone.puppet.stops) == (10, 9)
    await alone.close()


def alarm(replica: Replica) -> tuple[State, str | None]:
    """What its engine is, and what is said to be wrong with it."""
    return replica.seat.state, replica.seat.alarm


async def test_boots_that_fail_in_its_hours_raise_an_alarm_until_one_does_not_or_the_hours_are_over() -> None:
    alone = Replica(Turned())
    alone.puppet.boot_error = EngineError("boot_failed", "No weights.")
    await alone.round()
    await alone.round()
    assert alarm(alone) == (State.BROKEN, "No weights.")
    alone.puppet.boots.clear()
    await alone.round(after=5)
    await alone.round()
    assert alarm(alone) == (State.BOOTING, "No weights.")
    alone.puppet.boots.set()
    await rounds(alone, seconds=1)
    alone.plans["demo"] = Plan(NEVER)
    await alone.round()
    assert alarm(alone) == (State.BROKEN, None)
    alone.plans["demo"] = KEPT
    await alone.round()
    assert alarm(alone) == (State.BROKEN, "No weights.")
    alone.puppet.boot_error = None
    await rounds(alone, seconds=11)
    assert alarm(alone) == (State.WARM, None)
    await alone.close()


async def test_what_somebody_had_stopped_raises_no_alarm_that_it_does_not_boot() -> None:
    alone = Replica(Turned())
    alone.puppet.boot_error = EngineError("boot_failed", "No weights.")
    await alone.round()
    await alone.round()
    await alone.pool.cool("demo")
    await alone.round()
    assert alarm(alone) == (State.BROKEN, None)
    await alone.close()


async def test_an_idle_engine_goes_cold_outside_its_hours_and_no_heartbeat_keeps_it() -> None:
    alone = Replica(Turned(), plan=Plan(NEVER, 30, 300))
    alone.pool.warm("demo")
    await until(lambda: alone.seat.state is State.WARM)
    await rounds(alone, seconds=299)
    assert alone.seat.state is State.WARM
    await rounds(alone, seconds=2)
    assert (str(alone.seat.state), alone.puppet.beats, alone.puppet.stops) == ("cold", 0, 1)
    await rounds(alone, seconds=300)
    assert alone.puppet.starts == 1
    await alone.close()


async def test_one_replica_beats_and_when_it_is_killed_another_goes_on_without_a_gap() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    boards = [fleet.join(name) for name in "abc"]
    a, b, c = (Replica(clock, board) for board in boards)
    await rounds(a, b, c, seconds=303)
    assert [each.puppet.starts for each in (a, b, c)] == [1, 1, 1]
    assert sum(each.puppet.beats for each in (a, b, c)) == 10
    first, *others = sorted((a, b, c), key=lambda each: each.seat.beat_at, reverse=True)
    # Killed: it tells and resigns nothing.
    boards[[a, b, c].index(first)].cut = True
    last = first.seat.beat_at
    beats = [each.puppet.beats for each in others]
    while clock() < last + 29:
        await rounds(*others, seconds=1)
    assert [each.puppet.beats for each in others] == beats
    await rounds(*others, seconds=2)
    assert sum(each.puppet.beats for each in others) == sum(beats) + 1
    for replica in (a, b, c):
        await replica.close()


async def test_a_replica_that_goes_leaves_its_heartbeat_to_another_at_once() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    a, b = Replica(clock, fleet.join("a")), Replica(clock, fleet.join("b"))
    await rounds(a, b, seconds=4)
    a.puppet.answers.clear()
    await rounds(a, seconds=31)
    await rounds(b, seconds=1)
    assert (a.puppet.hanging, b.puppet.beats) == (1, 0)
    await a.keeper.close()
    await b.round()
    assert (a.puppet.hanging, b.puppet.beats) == (0, 1)
    await a.pool.close()
    await b.close()


async def test_what_callers_of_a_replica_that_is_gone_were_given_still_counts() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    a, b = Replica(clock, fleet.join("a")), Replica(clock, fleet.join("b"))
    await rounds(a, b, seconds=20)
    a.seat.heard_at = clock()
    await rounds(a, b, seconds=1)
    await rounds(b, seconds=28)
    assert b.puppet.beats == 0
    await rounds(b, seconds=1)
    assert b.puppet.beats == 1
    await a.close()
    await b.close()


async def test_heartbeats_missed_by_several_replicas_are_counted_together() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    boards = [fleet.join(name) for name in "ab"]
    a, b = (Replica(clock, board) for board in boards)
    await rounds(a, b, seconds=4)
    for each in (a, b):
        missing(each)
    await rounds(a, b, seconds=34)
    assert (a.puppet.beats, b.puppet.beats, a.seat.trouble.missed) == (2, 0, 2)
    boards[0].cut = True
    while clock() < a.seat.trouble.at + 60 and not b.puppet.beats:
        await rounds(b, seconds=1)
    # The one that is left counts on from what it was told while the other was there.
    assert (b.puppet.beats, b.seat.trouble.missed, b.puppet.starts) == (1, 3, 1)
    await rounds(b, seconds=1)
    assert (b.puppet.beats, b.puppet.starts) == (1, 2)
    await a.close()
    await b.close()


async def test_a_replica_whose_clock_is_wrong_neither_silences_nor_stops_the_engine_of_another() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    a, wrong = Replica(clock, fleet.join("a")), fleet.join("wrong")
    ahead = clock() + 86_400
    told = Sighting(
        model="demo", state=State.WARM, stage="", since=ahead, heard_at=ahead, asked_at=ahead, beat_at=ahead,
        failures=3, missed=3, failed_at=ahead,
    )  # fmt: skip
    await a.round()
    for _ in range(62):
        await wrong.exchange({"demo at a place": told})
        await rounds(a, seconds=1)
    assert (a.puppet.beats, a.puppet.starts) == (2, 1)
    await a.close()


async def test_while_the_board_is_away_heartbeats_go_on_and_nothing_goes_cold() -> None:
    clock = Turned()
    board = FleetBoard(Fleet(clock), "a")
    a = Replica(clock, board)
    await a.round()
    board.cut = True
    await rounds(a, seconds=300)
    assert a.puppet.beats == 10
    a.plans["demo"] = Plan(NEVER, 30, 300)
    await rounds(a, seconds=600)
    assert a.seat.state is State.WARM
    board.cut = False
    await rounds(a, seconds=1)
    assert str(a.seat.state) == "cold"
    await a.close()


async def test_what_one_replica_stops_the_others_leave_and_what_it_brings_up_they_join() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    a, b = (Replica(clock, fleet.join(name), plan=Plan(NEVER, 30, None)) for name in "ab")
    await rounds(a, b, seconds=5)
    assert (a.puppet.starts, b.puppet.starts) == (0, 0)
    a.pool.warm("demo")
    await rounds(a, b, seconds=2)
    assert (a.seat.state, b.seat.state) == (State.WARM, State.WARM)
    await rounds(a, b, seconds=5)
    cooling = asyncio.create_task(a.pool.cool("demo"))
    await rounds(a, b, seconds=10)
    await asyncio.wait_for(cooling, 5)
    assert (str(a.seat.state), str(b.seat.state), b.puppet.starts) == ("cold", "cold", 1)
    b.pool.warm("demo")
    await rounds(a, b, seconds=2)
    late = Replica(clock, fleet.join("late"), plan=Plan(NEVER, 30, None))
    await rounds(a, b, late, seconds=2)
    assert [str(each.seat.state) for each in (a, b, late)] == ["warm"] * 3
    for replica in (a, b, late):
        await replica.close()


async def test_an_engine_that_is_stopped_waits_for_callers_of_other_replicas_and_for_no_longer() -> None:
    clock = Turned()
    fleet = Fleet(clock)
    a, b = (Replica(clock, fleet.join(name)) for name in "ab")
    await rounds(a, b, seconds=3)
    with b.seat.holding(10):
        await rounds(b, a, seconds=1)
        stopping = asyncio.create_task(a.pool.cool("demo"))
        await rounds(a, b, seconds=2)
        assert (a.seat.state, b.seat.state) == (State.DRAINING, State.DRAINING)
    await rounds(b, a, seconds=2)
    async with asyncio.timeout(5):
        await stopping
    for replica in (a, b):
        await replica.close()


async def test_a_caller_who_comes_while_the_say_is_asked_for_keeps_the_engine_warm() -> None:
    clock = Turned()

    class Slow(FleetBoard):
        asked = asyncio.Event()
        answered = asyncio.Event()

        async def lead(self, engine: str, role: object, seconds: float) -> bool:
            if role == "keep":
                self.asked.set()
                await self.answered.wait()
            return True

    board = Slow(Fleet(clock), "a")
    a = Replica(clock, board, plan=Plan(NEVER, 30, 300))
    a.pool.warm("demo")
    await until(lambda: a.seat.state is State.WARM)
    clock.turn(301)
    looking = asyncio.create_task(a.keeper.round())
    await board.asked.wait()
    with a.seat.holding(1):
        board.answered.set()
        await looking
        await a.round()
        assert a.seat.state is State.WARM
    await a.close()


async def test_a_history_that_is_away_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    clock, history = Turned(), Remembered()
    history.away = True
    a = Replica(clock, history=history)
    await a.keeper.begin()
    await until(lambda: a.seat.state is State.WARM)
    a.pool.came("demo")
    await a.pulse.take_down()
    assert "It is away." in caplog.text
    history.away = False
    await a.pulse.take_down()
    assert list(history.people.values()) == [1] and history.took == {"demo": [0.0]}
    await a.pulse.take_down()
    assert list(history.people.values()) == [1] and history.took == {"demo": [0.0]}
    await a.close()


async def test_boots_that_are_remembered_say_how_far_ahead_one_begins() -> None:
    clock, history = Turned(), Remembered()
    history.took["demo"] = [60.0, 100.0, 80.0]
    opens = clock() - clock() % 86_400 + 86_400
    a = Replica(clock, plan=Plan(ActiveHours.parse(["daily 00:00-01:00"], "UTC"), 30, 300), history=history)
    clock.now = opens - 3600
    await a.pulse.begin()
    await a.round()
    assert a.keeper.next_at() == opens - 125
    await a.close()


async def test_hours_are_learned_from_those_who_came_and_learned_again() -> None:
    clock, history = Turned(1_900_000_000.0 - 1_900_000_000.0 % 86_400), Remembered()
    wish = Wish(zone_named("UTC"), frozenset(), Bounds())
    a = Replica(clock, plan=Plan(None, 30, 300), history=history, wish=wish)
    await a.round()
    noon = clock() + 12 * 3600
    assert a.plans["demo"].hours is not None and not a.plans["demo"].hours.at(noon + 14 * 86_400)
    for day in range(14):
        history.people["demo", int(noon) + 86_400 * day] = 10
    clock.turn(14 * 86_400)
    await a.round()
    assert a.plans["demo"].hours.at(noon + 14 * 86_400) and a.plans["demo"].idle_s == 300
    # A clock that is set back keeps nothing from being learned; a history that is away changes nothing.
    known = a.plans["demo"].hours
    history.away = True
    clock.turn(-7 * 86_400)
    await a.round()
    assert a.plans["demo"].hours is known
    history.away = False
    clock.turn(-100)
    await a.round(after=-86_400)
    assert a.plans["demo"].hours is not known
    await a.close()
