"""An engine whose every step a test makes, and the parts around it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from cache.memory import MemoryCache
from engines.base import Accepted, Chunk, Delta, Embeddings, Prompt, Report, Said, State, Traits
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from gateway.admission import Gate, Gates
from gateway.caching import Caching, Policy
from gateway.call import Call
from gateway.claims.memory import MemoryClaims
from gateway.core import Deadlines, Gateway
from gateway.events import Event
from gateway.keys import Key
from gateway.log.base import Retention
from gateway.log.local import Log
from gateway.log.memory import MemoryLogs
from gateway.metrics import Metrics
from tests.turning import Turned
from tests.waiting import until

KEPT_S = 3600.0
"""How long its claims are kept."""

Step = Chunk | Exception | None


class Puppet:
    """Boots when `boots` is set, says what `says` is given, and dies when `dies` is set."""

    def __init__(self, *, booted: bool = True, traits: Traits | None = None) -> None:
        self.traits = traits or Traits(version="1")
        self.boots = asyncio.Event()
        self.boot_error: Exception | None = None
        self.dies = asyncio.Event()
        self.starts = self.stops = 0
        self.now: set[str] = set()
        self.closed: list[str] = []
        self.said: dict[str, list[tuple[Said, ...]]] = defaultdict(list)
        """What each generation had said whenever it was asked for."""
        self._steps: dict[str, asyncio.Queue[Step]] = defaultdict(asyncio.Queue)
        self._vectors: asyncio.Queue[Embeddings | Exception] = asyncio.Queue()
        if booted:
            self.boots.set()

    def says(self, id: str, *steps: Step) -> None:
        """The next chunks of that generation; an error breaks it, None ends it."""
        for step in steps:
            self._steps[id].put_nowait(step)

    def embeds(self, *answers: Embeddings | Exception) -> None:
        """What its next calls of `embed` give."""
        for answer in answers:
            self._vectors.put_nowait(answer)

    @property
    def running(self) -> int:
        return len(self.now)

    async def start(self, report: Report) -> None:
        self.starts += 1
        report("loading")
        self.dies.clear()
        await self.boots.wait()
        if self.boot_error is not None:
            raise self.boot_error

    async def stop(self) -> None:
        self.stops += 1

    async def leave(self, *, others: bool = False) -> None:
        self.stops += 1

    async def close(self) -> None: ...

    async def died(self) -> str:
        await self.dies.wait()
        return "it was told to"

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        self.now.add(id)
        self.said[id].append(said)
        try:
            while (step := await self._steps[id].get()) is not None:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.now.discard(id)
            self.closed.append(id)

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        self.now.add(id)
        try:
            answer = await self._vectors.get()
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.now.discard(id)
            self.closed.append(id)

    async def beat(self) -> None: ...

    async def metrics(self) -> str:
        return ""


ANN = Key(id="key_ann", name="ann", namespace="ann")
"""Who asks."""


class Stage(NamedTuple):
    """A gateway with one puppet behind it, or several."""

    gateway: Gateway
    puppet: Puppet
    logs: MemoryLogs
    clock: Turned
    puppets: tuple[Puppet, ...] = ()
    """All of them, the first one included."""

    async def warm(self) -> None:
        """Have all of them warm."""
        self.gateway.pool.warm("demo")
        seats = self.gateway.pool.seats.values()
        await until(lambda: all(seat.state is State.WARM for seat in seats))

    async def ask(self, prompt: Prompt | None = None, *, grace: float | None = None) -> tuple[Call, Log]:
        """A new generation, and its log."""
        prompt = prompt or Prompt(texts=("once",))
        call, found = await self.gateway.start("demo", prompt, key=ANN, surface="test", grace=grace)
        return call, found.log


@asynccontextmanager
async def staged(
    puppet: Puppet | None = None,
    deadlines: Deadlines | None = None,
    retention: Retention | None = None,
    gate: Gate | None = None,
    policy: Policy | None = None,
    others: Sequence[Puppet] = (),
) -> AsyncIterator[Stage]:
    """The gateway without a server. The `others` are behind the same name."""
    clock, puppet = Turned(), puppet or Puppet()
    more = [Place(f"demo {number}", "demo", other) for number, other in enumerate(others, 2)]
    pool = Pool([Place("demo", "demo", puppet), *more], clock, wall=clock)
    logs = MemoryLogs(clock, retention)
    metrics = Metrics()
    caching = Caching(MemoryCache(clock, 1 << 20), {}, policy or Policy(), metrics)
    gateway = Gateway(
        pool,
        logs,
        MemoryClaims(clock, KEPT_S),
        caching,
        gate or Gates(),
        clock.clock,
        metrics,
        deadlines or Deadlines(),
    )
    await gateway.begin()
    try:
        yield Stage(gateway, puppet, logs, clock, (puppet, *others))
    finally:
        async with asyncio.timeout(10):
            await gateway.close()


async def crash(stage: Stage, *ids: str) -> None:
    """The engine dies under these generations, and is seen to."""
    stage.puppet.dies.set()
    for id in ids:
        stage.puppet.says(id, EngineError("engine_died", "It died."))


ACCEPTED = Accepted(5, 2)
LAST = Delta(0, "!", (9,), "stop")


def word(text: str) -> Delta:
    """A token."""
    return Delta(0, text, (1,))


def events(log: Log) -> list[Event]:
    """All of them so far."""
    return list(log.between(log.first, log.tail + 1))


async def ended(log: Log, seconds: float = 5.0) -> Event:
    """The event that closes the log."""
    reader = log.read(log.tail + 1 if not log.ended else log.tail)
    try:
        async with asyncio.timeout(seconds):
            while not log.ended:
                reader.take()
                await reader.wait(seconds)
    finally:
        reader.close()
    return log.between(log.tail, log.tail + 1)[0]
