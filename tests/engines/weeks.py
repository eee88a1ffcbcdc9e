"""A fleet played through weeks: machines that boot and die, replicas that come and go, people who come and ask.

Time leaps from one thing that happens to the next; all of the engines' parts are the real ones, but for the board (see
fleet.py), the engines, and who calls `Keeper.round`: that is done whenever something happens and when the keeper says
that something is due, instead of every second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from engines.base import Chunk, Embeddings, Prompt, Report, Said, State, Traits
from engines.errors import EngineError
from engines.hours import ActiveHours
from engines.keeper import Plan
from engines.keeping import Keeper
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Place
from tests.engines.fleet import KEPT_S, Fleet

READY_S: Final = 180.0
"""So long after its start a replica is sent no callers."""
IDLE_S: Final = 300.0
BEAT_S: Final = 30.0
_SOON_S: Final = 0.01
_PROMPT: Final = Prompt(texts=("Hello.",))


@dataclass
class Life:
    """A machine's, from when it was up. Unix seconds."""

    up_at: float
    ended_at: float = float("inf")
    signs: list[float] = field(default_factory=list)
    """When it gave somebody something, or was found warm."""
    beats: list[float] = field(default_factory=list)


class Machine:
    """Where an engine runs."""

    def __init__(self, weeks: Weeks, model: str) -> None:
        self._weeks = weeks
        self.model = model
        self.lives: list[Life] = []
        self.down_from: list[tuple[float, float]] = []
        """From when it died by itself to when it was up again."""
        self.up = asyncio.Event()
        self.dead = asyncio.Event()
        self._booting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if not self.up.is_set() and self._booting is None:
            self._booting = asyncio.create_task(self._boot())
        await self.up.wait()
        self.lives[-1].signs.append(now())
        self._weeks.tell()

    async def _boot(self) -> None:
        await asyncio.sleep(self._weeks.boot_s(self.model))
        self.lives.append(Life(now()))
        if self.down_from and self.down_from[-1][1] == float("inf"):
            self.down_from[-1] = self.down_from[-1][0], now()
        self.dead.clear()
        self.up.set()
        self._booting = None

    def stop(self) -> None:
        if self._booting is not None:
            self._booting.cancel()
            self._booting = None
        if self.up.is_set():
            self.up.clear()
            self.lives[-1].ended_at = now()

    def die(self) -> None:
        """By itself: whoever watches it sees that."""
        if self.up.is_set():
            self.stop()
            self.down_from.append((now(), float("inf")))
            self.dead.set()
            self._weeks.tell()


class Line:
    """One replica's way to a machine: an engine."""

    traits = Traits(version="1")
    running = 0

    def __init__(self, machine: Machine, replica: str, weeks: Weeks, shared: str | None) -> None:
        self.machine = machine
        self.shared = shared
        self.cut = False
        self._replica = replica
        self._weeks = weeks

    async def start(self, report: Report) -> None:
        await self.machine.start()

    async def stop(self) -> None:
        if not self.cut:
            self.machine.stop()

    async def leave(self, *, others: bool = False) -> None:
        if self.shared is None:
            self.machine.stop()

    async def close(self) -> None: ...

    async def died(self) -> str:
        await self.machine.dead.wait()
        return "it died"

    async def beat(self) -> None:
        if not self.machine.up.is_set():
            raise EngineError("engine_died", "It is gone.")
        if self.shared is not None:
            holder, until = self._weeks.fleet.leases[self.shared, "keep"]
            if holder != self._replica or now() > until:
                self._weeks.wrong.append(f"{self._replica} beats what {holder} has the say over")
            self._weeks.keepers.append(self._replica)
        self.machine.lives[-1].beats.append(now())

    async def metrics(self) -> str:
        return ""

    def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        raise NotImplementedError("People are played by Weeks, which asks the pool for a seat and tells it what came.")

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        raise NotImplementedError


class Replica:
    """One process of the fleet: of each model either an engine of its own, or one that all share."""

    def __init__(self, weeks: Weeks, name: str) -> None:
        self.born_at = now()
        self.board = weeks.fleet.join(name)
        self.lines = [
            Line(weeks.shared.get(model) or weeks.machine(model), name, weeks, model if shared else None)
            for model, shared in weeks.models.items()
        ]
        places = [Place(line.machine.model, line.machine.model, line, line.shared) for line in self.lines]
        self.pool = Pool(places, now, wall=now, board=self.board)
        self.pulse = Pulse(self.pool, self.board, weeks, now, now)
        self.keeper = Keeper(self.pool, self.pulse, self.board, weeks.plans, now, now, weeks)
        self.news = asyncio.Event()
        self._driving = asyncio.create_task(self._drive())

    @property
    def ready(self) -> bool:
        return now() - self.born_at >= READY_S

    async def _drive(self) -> None:
        await self.pulse.begin()
        while True:
            await self.keeper.round()
            due = self.keeper.next_at()
            try:
                # What another has the say over just now is asked for again after a second.
                async with asyncio.timeout_at(None if due == float("inf") else due if due > now() else now() + 1):
                    await self.news.wait()
            except TimeoutError:
                continue
            self.news.clear()
            await self.keeper.round()
            await self.pulse.take_down()
            # Who was asked before it was told hears it in the next round.
            await asyncio.sleep(_SOON_S)

    async def end(self) -> None:
        self._driving.cancel()
        await asyncio.wait([self._driving])
        if not self._driving.cancelled():
            self._driving.result()
        await self.keeper.close()
        await self.pool.close()
        await self.board.close()

    async def kill(self, weeks: Weeks) -> None:
        """It is gone from one moment to the next: nothing that it would do at its end reaches anybody."""
        self.board.cut = True
        for line in self.lines:
            line.cut = True
        await self.end()
        asyncio.get_running_loop().call_later(KEPT_S, lambda: weeks.fleet.told.pop(self.board.replica, None))


@dataclass
class Met:
    """What somebody met who came."""

    at: float
    model: str
    state: State
    machine: Machine


class Weeks:
    """The fleet, and what happens to it. It is its own history, and counts heartbeats for its keepers."""

    def __init__(
        self,
        models: Mapping[str, bool],
        hours: Mapping[str, ActiveHours],
        boots: Mapping[str, tuple[float, float]],
        seed: int,
    ) -> None:
        self.models = models
        """By name, whether one engine is shared by all replicas."""
        self.plans = {model: Plan(each, BEAT_S, IDLE_S) for model, each in hours.items()}
        self._boots = boots
        self.random = Random(seed)
        self.fleet = Fleet(now)
        self.machines: list[Machine] = []
        self.shared = {model: self.machine(model) for model, shared in models.items() if shared}
        self.replicas: list[Replica] = []
        self.met: list[Met] = []
        self.wrong: list[str] = []
        """What must not happen, and did."""
        self.keepers: list[str] = []
        """Who sent each heartbeat of a shared engine."""
        self.killed = self.left = 0
        self._named = 0
        # The slowest boot of earlier weeks is remembered.
        self._took = {model: [slowest] for model, (_, slowest) in boots.items()}

    def machine(self, model: str) -> Machine:
        """One more, for an engine of that model."""
        self.machines.append(Machine(self, model))
        return self.machines[-1]

    def boot_s(self, model: str) -> float:
        return self.random.uniform(*self._boots[model])

    def tell(self) -> None:
        """Something happened: everybody looks."""
        asyncio.get_running_loop().call_later(_SOON_S, self._wake)

    def _wake(self) -> None:
        for replica in self.replicas:
            replica.news.set()

    def join(self) -> None:
        self._named += 1
        self.replicas.append(Replica(self, f"replica {self._named}"))

    async def lose(self, *, killed: bool) -> None:
        """One of the replicas goes, if all three are ready, and another one comes after a while."""
        if len(self.replicas) < 3 or not all(each.ready for each in self.replicas):
            return
        gone = self.replicas.pop(self.random.randrange(3))
        if killed:
            self.killed += 1
            await gone.kill(self)
        else:
            self.left += 1
            await gone.end()
        self.tell()
        await asyncio.sleep(self.random.uniform(1, 1800))
        self.join()

    async def visit(self, model: str) -> None:
        """Somebody comes, waits for an engine, and is given a few words."""
        replica = self.random.choice([each for each in self.replicas if each.ready])
        (line,) = (line for line in replica.lines if line.machine.model == model)
        self.met.append(Met(now(), model, replica.pool.models[model].state, line.machine))
        with suppress(EngineError):
            async for _ in replica.pool.reach(model):
                self.tell()
            seat = replica.pool.pick(model, _PROMPT)
            assert seat is not None
            with seat.holding(100) as hold:
                self.tell()
                for _ in range(self.random.randint(1, 5)):
                    await asyncio.sleep(self.random.uniform(0.1, 3))
                    if line.cut or not line.machine.up.is_set():
                        raise EngineError("engine_died", "It died.")
                    hold.heard(now(), 1)
                    line.machine.lives[-1].signs.append(now())
                    self.tell()
        self.tell()

    async def booted(self, engine: str, seconds: float) -> None:
        self._took[engine].append(seconds)

    async def boots(self, engine: str) -> Sequence[float]:
        return self._took[engine][-10:]

    async def came(self, arrivals: Mapping[tuple[str, int], int]) -> None: ...

    async def arrivals(self, model: str, since: float) -> Mapping[int, int]:
        return {}

    async def close(self) -> None: ...

    def beat(self, model: str, seconds: float, *, passed: bool) -> None: ...


def now() -> float:
    """Unix seconds, of the loop that leaps."""
    return asyncio.get_running_loop().time()
