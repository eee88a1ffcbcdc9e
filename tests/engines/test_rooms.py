"""Engines that share a device: who goes cold, and when, so that another one may boot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.base import Report, State
from engines.errors import EngineError
from engines.pool import Pool
from engines.rooms import Tenant, leaving
from engines.seat import Hold, Place, Seat
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until


def test_nobody_goes_where_there_is_room() -> None:
    assert leaving(0.5, []) == []
    assert leaving(0.1, [Tenant(0.3)] * 3) == []


def test_the_least_recently_used_goes_first() -> None:
    assert leaving(0.5, [Tenant(0.5, used_at=2.0), Tenant(0.5, used_at=1.0)]) == [1]


def test_an_idle_one_goes_before_a_busy_one() -> None:
    assert leaving(0.5, [Tenant(0.5, used_at=1.0, busy=True), Tenant(0.5, used_at=2.0)]) == [1]
    assert leaving(1.0, [Tenant(0.5, used_at=1.0, busy=True), Tenant(0.5, used_at=2.0)]) == [1, 0]


def test_one_that_goes_already_is_waited_for_before_another_is_sent() -> None:
    assert leaving(0.5, [Tenant(0.5, used_at=1.0), Tenant(0.5, used_at=2.0, goes=True, may_go=False)]) == [1]


def test_a_small_one_is_spared_where_a_larger_one_has_to_go_anyway() -> None:
    assert leaving(0.8, [Tenant(0.2, used_at=1.0), Tenant(0.8, used_at=2.0)]) == [1]


@pytest.mark.parametrize("other", [Tenant(0.5, stays=True), Tenant(0.5, may_go=False)])
def test_who_stays_or_is_not_settled_is_not_sent(other: Tenant) -> None:
    assert leaving(0.6, [other]) is None


SHARES = st.floats(0.01, 1)


@given(SHARES, st.lists(st.builds(Tenant, SHARES, st.booleans(), st.booleans(), st.just(False), st.booleans(), SHARES)))
def test_who_is_sent_makes_room_and_none_of_them_in_vain(wanted: float, tenants: list[Tenant]) -> None:
    def taken(gone: list[int]) -> float:
        return wanted + sum(each.share for at, each in enumerate(tenants) if at not in gone)

    able = [at for at, each in enumerate(tenants) if each.may_go and not each.stays]
    chosen = leaving(wanted, tenants)
    if chosen is None:
        assert taken(able) > 1.0
        return
    assert taken(chosen) <= 1.00001 and set(chosen) <= set(able)
    for at in chosen:
        assert taken([other for other in chosen if other != at]) > 1.0


class House(NamedTuple):
    """Models a, b and so on, each half of one device; those whose names are in `kept` are in their hours."""

    pool: Pool
    puppets: dict[str, Puppet]
    kept: set[str]
    clock: Turned

    def seat(self, model: str) -> Seat:
        return self.pool.seats[model]

    def states(self) -> str:
        return " ".join(f"{model}:{self.seat(model).state}" for model in self.puppets)

    async def warm(self, *models: str) -> None:
        """Have them warm, one after the other, and settled."""
        for model in models:
            self.pool.warm(model)
            await until(lambda model=model: self.seat(model).state is State.WARM)  # type: ignore[misc]
            self.clock.turn(30)


async def reach(pool: Pool, model: str) -> None:
    async for _ in pool.reach(model):
        pass


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.rooms._LOOK_S", 0.0)


@asynccontextmanager
async def house(**shares: float) -> AsyncIterator[House]:
    clock, kept = Turned(), set[str]()
    puppets = {model: Puppet() for model in shares}
    places = [Place(model, model, puppets[model], device="gpu0", share=share) for model, share in shares.items()]
    pool = Pool(places, clock, 60, wall=clock, kept=lambda seat: seat.model in kept)
    try:
        yield House(pool, puppets, kept, clock)
    finally:
        async with asyncio.timeout(5):
            await pool.close()
        assert not any(seat.lives for seat in pool.seats.values())


async def test_as_many_are_warm_as_have_room_and_the_one_unused_longest_goes() -> None:
    async with house(a=0.5, b=0.5, c=0.5) as told:
        await told.warm("a", "b")
        with told.seat("a").holding(10):
            told.clock.turn(1)
        await told.warm("c")
        assert told.states() == "a:warm b:cold c:warm"
        assert told.puppets["b"].stops == 1


async def test_the_one_that_makes_room_ends_its_answers_first() -> None:
    async with house(a=1.0, b=1.0) as told:
        await told.warm("a")
        with told.seat("a").holding(10):
            waiting = asyncio.create_task(reach(told.pool, "b"))
            await until(lambda: told.states() == "a:draining b:booting")
            assert told.seat("b").stage == "waiting for room on gpu0"
            assert (told.puppets["a"].stops, told.puppets["b"].starts) == (0, 0)
        await waiting
        assert told.states() == "a:cold b:warm"


async def test_who_made_room_and_for_whom_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "engines.rooms")
    async with house(a=1.0, b=1.0) as told:
        await told.warm("a", "b")
        await until(lambda: told.seat("a").stage == "made room on gpu0 for b")
        assert "a is stopped: it makes room on gpu0 for b" in caplog.text
        await told.warm("a")
        await until(lambda: told.seat("b").stage == "made room on gpu0 for a")
        assert told.seat("a").stage == "ready"


async def test_while_others_leave_it_no_room_nobody_knows_when_it_is_warm(look: None) -> None:
    async with house(a=0.6, b=0.6, c=0.4) as told:
        for seat in told.pool.seats.values():
            seat.remember([12.0])
        assert told.pool.outlook("b") == (State.COLD, 12)
        told.pool.warm("a")
        await until(lambda: told.seat("a").state is State.WARM)
        told.puppets["b"].boots.clear()
        assert (told.pool.outlook("b"), told.pool.outlook("c")) == ((State.COLD, None), (State.COLD, 12))
        told.pool.warm("b")
        await pause()
        told.clock.turn(10)
        assert told.pool.outlook("b") == (State.BOOTING, None)
        assert told.pool.outlook("c") == (State.COLD, None), "b comes first"
        told.clock.turn(15)
        await until(lambda: told.puppets["b"].starts == 1)
        assert told.pool.outlook("b") == (State.BOOTING, 12), "its boot begins when it has room"
        told.clock.turn(5)
        assert told.pool.outlook("b") == (State.BOOTING, 7)


async def test_one_in_its_hours_never_goes_and_who_wants_in_is_told_of_whom() -> None:
    async with house(a=0.5, b=0.4, c=0.5) as told:
        await told.warm("a", "b")
        told.kept.update("ab")
        with pytest.raises(EngineError) as refused:
            await reach(told.pool, "c")
        assert refused.value.code == "no_room"
        assert refused.value.message == "gpu0 has no room for c: a, b are in their active hours."
        assert told.states() == "a:warm b:warm c:broken"
        told.kept.discard("b")
        await reach(told.pool, "c")
        assert told.states() == "a:warm b:cold c:warm"


async def test_two_boots_at_once_never_have_more_than_there_is(look: None) -> None:
    async with house(a=0.6, b=0.6, c=0.4) as told:
        for puppet in told.puppets.values():
            puppet.boots.clear()
        waiting = [asyncio.create_task(reach(told.pool, model)) for model in "abc"]
        await until(lambda: told.puppets["a"].starts == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert [told.puppets[model].starts for model in "abc"] == [1, 0, 0], "b waits, and c behind it"
        for puppet in told.puppets.values():
            puppet.boots.set()
        await waiting[0]
        told.clock.turn(30)
        await asyncio.gather(*waiting)
        assert told.states() == "a:cold b:warm c:warm"


async def test_one_that_boots_or_is_only_just_warm_is_not_sent_away(look: None) -> None:
    async with house(a=1.0, b=1.0) as told:
        told.puppets["a"].boots.clear()
        told.pool.warm("a")
        await until(lambda: told.puppets["a"].starts == 1)
        waiting = asyncio.create_task(reach(told.pool, "b"))
        await pause()
        told.puppets["a"].boots.set()
        await until(lambda: told.seat("a").state is State.WARM)
        told.clock.turn(19)
        await pause()
        assert told.states() == "a:warm b:booting"
        told.clock.turn(2)
        await waiting
        assert told.states() == "a:cold b:warm"


async def pause() -> None:
    """Let what waits for time look again some times."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_an_engine_that_dies_and_boots_again_keeps_its_room() -> None:
    async with house(a=1.0, b=1.0) as told:
        await told.warm("a")
        told.puppets["a"].boots.clear()
        told.puppets["a"].dies.set()
        await until(lambda: told.puppets["a"].starts == 2)
        told.kept.add("a")
        with pytest.raises(EngineError, match="a is in its active hours"):
            await reach(told.pool, "b")


@pytest.mark.parametrize("how", ["cooled", "broken"])
async def test_who_is_gone_leaves_its_room(how: str) -> None:
    async with house(a=1.0, b=1.0) as told:
        told.kept.add("a")
        if how == "cooled":
            await told.warm("a")
            await told.pool.cool("a")
        else:
            told.puppets["a"].boot_error = EngineError("boot_failed", "No.")
            with pytest.raises(EngineError):
                await reach(told.pool, "a")
        await reach(told.pool, "b")
        assert told.seat("b").state is State.WARM


Ending = Callable[[House], Awaitable[None]]


@pytest.mark.parametrize(
    "end", [lambda told: told.pool.cool("b"), lambda told: told.pool.close()], ids=["cool", "close"]
)
async def test_who_waits_for_room_can_be_stopped(end: Ending) -> None:
    async with house(a=1.0, b=1.0) as told:
        await told.warm("a")
        with told.seat("a").holding(10):
            told.pool.warm("b")
            await until(lambda: told.states() == "a:draining b:booting")
            ending = asyncio.ensure_future(end(told))
            await until(lambda: told.seat("b").state is State.COLD)
        await ending
        await until(lambda: told.seat("a").state is State.COLD)
        assert told.puppets["b"].starts == 0


async def test_room_that_is_not_made_in_time_is_no_room(look: None) -> None:
    clock, one, two = Turned(), Puppet(booted=False), Puppet()
    places = [Place("a", "a", one, device="gpu0"), Place("b", "b", two, device="gpu0")]
    pool = Pool(places, clock, 0.05, wall=clock)
    pool.warm("a")
    one.boots.set()
    await until(lambda: pool.seats["a"].state is State.WARM)
    pool.warm("b")
    await until(lambda: pool.seats["b"].state is State.BROKEN)
    assert pool.seats["b"].error is not None and pool.seats["b"].error.code == "no_room"
    await pool.close()


async def test_what_is_on_no_device_or_on_another_one_disturbs_nobody() -> None:
    clock, puppets = Turned(), [Puppet() for _ in range(3)]
    devices = ["gpu0", "gpu1", None]
    places = [
        Place(name, name, puppet, device=device) for name, puppet, device in zip("abc", puppets, devices, strict=True)
    ]
    pool = Pool(places, clock, wall=clock)
    for name in "abc":
        await reach(pool, name)
    assert all(seat.state is State.WARM for seat in pool.seats.values())
    await pool.close()


class Counted(Puppet):
    """Is up from when its boot begins until it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.up = False

    async def start(self, report: Report) -> None:
        self.up = True
        await super().start(report)

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.up = False
        await super().stop()

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()


MODELS = {"a": 0.5, "b": 0.5, "c": 0.3, "d": 1.0}
MOVES = st.tuples(
    st.sampled_from(["warm", "cool", "die", "fail", "mend", "hold", "let go", "keep", "keep no more", "turn"]),
    st.sampled_from(sorted(MODELS)),
)


@given(st.lists(MOVES, max_size=40))
@settings(deadline=None)
def test_whatever_is_asked_for_a_device_never_holds_more_than_it_can(moves: list[tuple[str, str]]) -> None:
    asyncio.run(crowd(moves))


async def crowd(moves: list[tuple[str, str]]) -> None:
    clock, kept = Turned(), set[str]()
    puppets = {model: Counted() for model in MODELS}
    places = [Place(model, model, puppets[model], device="gpu0", share=share) for model, share in MODELS.items()]
    pool = Pool(places, clock, 60, wall=clock, kept=lambda seat: seat.model in kept)
    holds = {model: list[AbstractContextManager[Hold]]() for model in MODELS}
    cooled = list[asyncio.Task[None]]()
    for move, model in moves:
        match move:
            case "warm":
                pool.warm(model)
            case "cool":
                cooled.append(asyncio.create_task(pool.cool(model, 0)))
            case "die":
                puppets[model].dies.set()
            case "fail":
                puppets[model].boot_error = EngineError("boot_failed", "No.")
            case "mend":
                puppets[model].boot_error = None
            case "hold":
                holds[model].append(pool.seats[model].holding(1))
                holds[model][-1].__enter__()
            case "let go" if holds[model]:
                holds[model].pop().__exit__(None, None, None)
            case "keep" if pool.seats[model].state is State.WARM:
                kept.add(model)
            case "keep no more":
                kept.discard(model)
            case "turn":
                clock.turn(25)
        for _ in range(6):
            await asyncio.sleep(0)
            assert sum(share for name, share in MODELS.items() if puppets[name].up) <= 1.0
    for each in holds.values():
        for hold in each:
            hold.__exit__(None, None, None)
    async with asyncio.timeout(5):
        await asyncio.gather(*cooled)
        await pool.close()
    assert not any(puppet.up for puppet in puppets.values())
