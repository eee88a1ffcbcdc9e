"""Replicas of one process, each with a model of its own or all with one, and a clock that the test turns."""

from __future__ import annotations

from typing import NamedTuple

from engines.base import State
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Place, Seat
from gateway.board.history_sqlite import SqliteHistory
from tests.engines.fleet import Fleet
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until


class Shared(Puppet):
    """Tells to be stopped from to be left."""

    left = 0
    """How often it was left."""
    left_to_others = 0
    """How often that was to replicas that go on with it."""

    async def leave(self, *, others: bool = False) -> None:
        self.left += 1
        self.left_to_others += others


class Replica(NamedTuple):
    """One process with one engine, and what it tells the others."""

    puppet: Shared
    pool: Pool
    pulse: Pulse

    @property
    def seat(self) -> Seat:
        return self.pool.seats["demo"]

    async def warm(self) -> None:
        self.pool.warm("demo")
        await until(lambda: self.seat.state is State.WARM)


def replicas(clock: Turned, *names: str, shared: str | None = None) -> list[Replica]:
    """A replica for each name; each has an engine of its own, or all have one by the name `shared`."""
    fleet = Fleet(clock)
    made = []
    for name in names:
        puppet, board = Shared(), fleet.join(name)
        pool = Pool([Place("demo", "demo", puppet, shared)], clock, wall=clock, board=board)
        made.append(Replica(puppet, pool, Pulse(pool, board, SqliteHistory(None, clock), clock, clock)))
    return made


async def turned(clock: Turned, *those: Replica) -> None:
    """A second passes, and each of them tells and learns once."""
    clock.turn(1)
    for replica in those:
        await replica.pulse.turn()


async def closed(*those: Replica) -> None:
    """Have them end."""
    for replica in those:
        await replica.pulse.close()
        await replica.pool.close()
