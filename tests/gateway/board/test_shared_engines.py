"""Replicas that share engines through one Redis: one starts what all use, and one's stop is everybody's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from engines.base import Prompt, Report, State
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Place, Seat
from gateway.board.history_sqlite import SqliteHistory
from gateway.board.redis import RedisBoard
from gateway.redis.address import Address
from tests.gateway.puppet import Puppet
from tests.redis_server import RedisProcess, redis_process
from tests.turning import Turned
from tests.waiting import until


class Upstream:
    """What runs somewhere: begun by a start command, ended by a stop command."""

    def __init__(self) -> None:
        self.boots = asyncio.Event()
        self.commands: list[str] = []
        self.runs = False


class Way(Puppet):
    """One replica's way to it."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        super().__init__()
        self._name = name
        self._upstream = upstream
        self.left = 0

    async def start(self, report: Report) -> None:
        self.starts += 1
        if not self._upstream.runs:
            self._upstream.commands.append(f"{self._name} starts")
            await self._upstream.boots.wait()
            self._upstream.runs = True

    async def stop(self) -> None:
        self._upstream.commands.append(f"{self._name} stops")
        self._upstream.runs = False

    async def leave(self, *, others: bool = False) -> None:
        self.left += 1


class Replica(NamedTuple):
    pool: Pool
    pulse: Pulse
    board: RedisBoard

    @property
    def seat(self) -> Seat:
        return self.pool.seats["demo"]

    @property
    def state(self) -> State:
        return self.seat.state

    async def close(self) -> None:
        await self.pulse.close()
        await self.pool.close()
        await self.board.close()


Join = Callable[..., Replica]


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def upstreams() -> list[Upstream]:
    return [Upstream(), Upstream()]


@pytest.fixture
def join(
    redis_url: str, upstreams: list[Upstream], clock: Turned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Join:
    monkeypatch.setattr("engines.lease._ASK_S", 0.005)
    monkeypatch.setattr("engines.lease._RENEW_S", 0.005)
    prefix = f"test-{secrets.token_hex(4)}"

    def made(name: str, url: str = redis_url, engines: int = 1, device: str | None = None) -> Replica:
        board = RedisBoard(Address.parse(url), name, monotonic, prefix=prefix)
        ids = ["demo", "demo 2"][:engines]
        places = [
            Place(id, "demo" if device is None else id, Way(name, upstream), shared=f"http://{id}", device=device)
            for id, upstream in zip(ids, upstreams, strict=False)
        ]
        pool = Pool(places, clock, wall=clock, board=board)
        history = SqliteHistory(tmp_path / "hearth.db", clock)
        return Replica(pool, Pulse(pool, board, history, clock, clock), board)

    return made


@pytest.fixture
async def pair(join: Join) -> AsyncIterator[tuple[Replica, Replica]]:
    here, there = join("here"), join("there")
    yield here, there
    for replica in (here, there):
        await replica.close()


async def rounds(clock: Turned, *replicas: Replica, count: int = 3) -> None:
    """So many seconds, in each of which all tell and learn."""
    for _ in range(count):
        clock.turn(1)
        for replica in replicas:
            assert await replica.pulse.turn()
            for _ in range(5):
                await asyncio.sleep(0)


async def warm(upstream: Upstream, *replicas: Replica) -> None:
    """Have it warm in one after the other."""
    upstream.boots.set()
    for replica in replicas:
        replica.pool.warm("demo")
        await until(lambda replica=replica: replica.state is State.WARM)  # type: ignore[misc]


async def test_one_starts_it_and_the_other_waits_and_joins(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned
) -> None:
    here, there = pair
    here.pool.warm("demo")
    await until(lambda: upstreams[0].commands == ["here starts"])
    there.pool.warm("demo")
    await until(lambda: there.seat.stage == "another replica starts it")
    clock.turn(40)
    upstreams[0].boots.set()
    await until(lambda: here.state is there.state is State.WARM)
    assert upstreams[0].commands == ["here starts"]
    assert (here.seat.boot_estimate_s, there.seat.boot_estimate_s) == (40, None), "to join tells nothing of a boot"


async def test_what_one_has_brought_up_the_others_have_too(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned
) -> None:
    here, there = pair
    await warm(upstreams[0], here)
    await rounds(clock, here, there)
    await until(lambda: there.state is State.WARM)
    assert upstreams[0].commands == ["here starts"]


async def test_when_one_stops_it_the_others_leave_it_and_nobody_brings_it_back(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned
) -> None:
    here, there = pair
    await warm(upstreams[0], here, there)
    await rounds(clock, here, there)
    await cooled(clock, here, there)
    await rounds(clock, here, there, count=5)
    assert (here.state, there.state) == (State.COLD, State.COLD)
    assert upstreams[0].commands == ["here starts", "here stops"]


async def cooled(clock: Turned, here: Replica, there: Replica) -> None:
    """One stops it; both tell each other meanwhile."""
    async with asyncio.timeout(10):
        cooling = asyncio.create_task(here.pool.cool("demo"))
        while not cooling.done():
            await rounds(clock, here, there)
        await cooling


async def test_who_is_asked_while_another_stops_it_waits_and_starts_it_anew(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned
) -> None:
    here, there = pair
    await warm(upstreams[0], here, there)
    await rounds(clock, here, there)
    cooling = asyncio.create_task(here.pool.cool("demo"))
    await until(lambda: here.state is State.DRAINING)
    assert upstreams[0].runs and there.state is State.WARM, "it is not stopped before the other one knows"
    await rounds(clock, here, there)
    await until(lambda: there.state is not State.WARM)

    async def reach() -> None:
        async for _ in there.pool.reach("demo"):
            pass

    asking = asyncio.create_task(reach())
    async with asyncio.timeout(10):
        while not (cooling.done() and asking.done()):
            await rounds(clock, here, there)
    assert there.state is State.WARM
    assert upstreams[0].commands == ["here starts", "here stops", "there starts"]


async def test_who_joins_later_stops_nothing_that_was_stopped_and_started_before(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned, join: Join
) -> None:
    here, there = pair
    await warm(upstreams[0], here, there)
    await rounds(clock, here, there)
    await cooled(clock, here, there)
    await rounds(clock, here, there)
    await warm(upstreams[0], there)
    await rounds(clock, here, there)
    late = join("late")
    await rounds(clock, late, here, there, count=5)
    assert [replica.state for replica in (here, there, late)] == [State.WARM] * 3
    assert upstreams[0].commands == ["here starts", "here stops", "there starts"]
    await late.close()
    await rounds(clock, here, there)
    assert [replica.state for replica in pair] == [State.WARM] * 2, "who goes takes nothing along"


async def test_who_stops_it_waits_for_what_the_others_still_have_of_it(
    pair: tuple[Replica, Replica], upstreams: list[Upstream], clock: Turned
) -> None:
    here, there = pair
    await warm(upstreams[0], here, there)
    await rounds(clock, here, there)
    with there.seat.holding(100):
        await rounds(clock, there, here)
        cooling = asyncio.create_task(here.pool.cool("demo", 60))
        await rounds(clock, here, there, count=4)
        assert there.state is State.DRAINING, "and takes no more"
        assert (here.state, upstreams[0].runs) == (State.DRAINING, True)
    await rounds(clock, there, here)
    await asyncio.wait_for(cooling, 5)
    assert upstreams[0].commands == ["here starts", "here stops"]


async def test_whose_lease_is_lost_in_the_middle_of_a_boot_leaves_the_engine_to_its_new_holder(
    pair: tuple[Replica, Replica], upstreams: list[Upstream]
) -> None:
    here, there = pair
    here.pool.warm("demo")
    await until(lambda: upstreams[0].commands == ["here starts"])
    await here.board.resign("http://demo", "boot")
    async with asyncio.timeout(5):
        while not await there.board.lead("http://demo", "boot", 60):
            await here.board.resign("http://demo", "boot")
    await until(lambda: here.seat.stage == "another replica starts it")
    way = here.seat.engine
    assert isinstance(way, Way) and way.left == 1
    upstreams[0].runs = True
    assert here.state is State.BOOTING
    await there.board.resign("http://demo", "boot")
    await until(lambda: here.state is State.WARM)
    assert upstreams[0].commands == ["here starts"]
    assert here.seat.boot_estimate_s is None


async def test_what_an_engine_owes_to_the_others_callers_weighs_too(
    upstreams: list[Upstream], clock: Turned, join: Join
) -> None:
    here, there = join("here", engines=2), join("there", engines=2)
    for upstream in upstreams:
        upstream.boots.set()
    for replica in (here, there):
        replica.pool.warm("demo")
        await until(lambda replica=replica: all(seat.state is State.WARM for seat in replica.pool.seats.values()))  # type: ignore[misc]
    prompt = Prompt(texts=("once",))
    first = there.pool.pick("demo", prompt)
    assert first is not None and first.id == "demo"
    with here.pool.seats["demo"].holding(1000):
        await rounds(clock, here, there)
        second = there.pool.pick("demo", prompt)
        assert second is not None and second.id == "demo 2"
    await rounds(clock, here, there)
    assert there.pool.pick("demo", prompt) is first
    for replica in (here, there):
        await replica.close()


async def test_who_makes_room_on_a_device_makes_it_for_all(
    upstreams: list[Upstream], clock: Turned, join: Join
) -> None:
    here, there = (join(name, engines=2, device="gpu0") for name in ("here", "there"))
    for upstream in upstreams:
        upstream.boots.set()
    here.pool.warm("demo")
    await until(lambda: here.state is State.WARM)
    await rounds(clock, here, there)
    await until(lambda: there.state is State.WARM)
    clock.turn(30)
    there.pool.warm("demo 2")
    others = [replica.pool.seats["demo 2"] for replica in (there, here)]
    async with asyncio.timeout(10):
        while any(seat.state is not State.WARM for seat in others):
            await rounds(clock, there, here)
    assert [here.state, there.state] == [State.COLD, State.COLD]
    assert upstreams[0].commands == ["here starts", "there stops"]
    assert upstreams[1].commands == ["there starts"]
    for replica in (here, there):
        await replica.close()


async def test_without_redis_each_goes_on_alone_and_afterwards_together(
    upstreams: list[Upstream], clock: Turned, join: Join
) -> None:
    with redis_process("--appendfsync", "always") as server:
        await lonely(server, upstreams, clock, join)


async def lonely(server: RedisProcess, upstreams: list[Upstream], clock: Turned, join: Join) -> None:
    here, there = join("here", server.url), join("there", server.url)
    await warm(upstreams[0], here, there)
    with there.seat.holding(500):
        await rounds(clock, there, here)
        assert here.seat.outstanding == 500
        server.kill()
        assert not await here.pulse.turn()
        assert here.seat.outstanding == 500, "it is most likely as it was"
        clock.turn(11)
        assert not await here.pulse.turn()
        assert here.seat.outstanding == 0, "and nobody knows any more"
        await here.pool.cool("demo")
        await warm(upstreams[0], here)
        assert there.state is State.WARM
        server.restart(keep_data=False)
        await rounds(clock, there, here, there)
        assert here.seat.outstanding == 500
    assert here.state is State.WARM
    for replica in (here, there):
        await replica.close()
