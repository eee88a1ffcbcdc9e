"""Predictions whose logs are in memory, and errands that note what they are told to do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from engines.base import Prompt
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished, Opened, Terminal, Timings, Usage
from gateway.generation import Generation
from gateway.log.local import Log, Reader
from gateway.log.memory import MemoryLogs
from gateway.predictions.attendance import Parts
from gateway.predictions.base import Predictions
from gateway.predictions.record import Ending, Hook, Record
from tests.gateway.predictions.contract import HOOK, NOON, a_record

FINISHED = Finished("stop", Usage(), Timings())


def ending(log: Log) -> Ending:
    """How a log of these tests ended."""
    [last] = log.between(log.tail, log.tail + 1)
    match last:
        case Failed(message=message):
            return Ending("failed", NOON + 9, error=message)
        case Canceled():
            return Ending("canceled", NOON + 9)
    return Ending("succeeded", NOON + 9)


class House:
    """The logs of a few predictions, which may be away, and the errands that were run for them."""

    def __init__(self) -> None:
        self.logs = MemoryLogs(lambda: NOON)
        self.away: str | None = None
        """Why no log can be opened now: a code of the error table."""
        self.followed = Counter[str]()
        self.completed: dict[str, list[tuple[Record, bool]]] = {}
        """By prediction, with what its caller was told of its end, and whether there was a log."""
        self.telling = set[str]()
        """Of whose end somebody is being told, or was."""
        self.hold = asyncio.Event()
        """Errands tell of an end only while this is set."""
        self.hold.set()
        self.listening = asyncio.Event()
        """Errands have told of the course only when this is set."""
        self.listening.set()
        self.breaks = 0
        """So many errands break from now on."""

    def parts(self, store: Predictions) -> Parts:
        return Parts(store, self._open, ending, self._errand_for, lambda: NOON + 99)

    async def begin(self, hook: Hook | None = HOOK, **more: object) -> Record:
        """A prediction that runs."""
        record = a_record(hook=hook, **more)
        generation = Generation(
            id=record.generation, owner=record.owner, model="m", prompt=Prompt(), created=NOON, grace=None
        )
        await self.logs.create(generation, Opened(record.generation, "m", NOON))
        return record

    async def end(self, record: Record, event: Terminal = FINISHED) -> None:
        """Its log ends."""
        await self.logs._writers[record.generation].append(event)

    async def _open(self, id: str, owner: str) -> Log:
        if self.away is not None:
            raise HearthError(self.away)
        return await self.logs.open(id, owner)

    def _errand_for(self, record: Record) -> Errand | None:
        return None if record.hook is None else Errand(self)


class Errand:
    """Follows to the end, and tells of it once the house lets it."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def follow(self, record: Record, reader: Reader) -> None:
        self._house.followed[record.id] += 1
        if self._house.breaks:
            self._house.breaks -= 1
            raise RuntimeError("it broke")
        await reader.end()
        await self._house.listening.wait()

    async def complete(self, record: Record, reader: Reader | None) -> None:
        self._house.telling.add(record.id)
        await self._house.hold.wait()
        self._house.completed.setdefault(record.id, []).append((record, reader is not None))


async def told(store: Predictions, record: Record) -> Record:
    """The record, once it is told."""
    async with asyncio.timeout(10):
        while True:
            kept = await store.get(record.id)
            if kept is not None and kept.told:
                return kept


class Unsteady:
    """A store that is away for a number of calls; everything else goes to the one behind it."""

    def __init__(self, store: Predictions) -> None:
        self._store = store
        self.failing = 0

    def __getattr__(self, name: str) -> Callable[..., object]:
        async def ask(*words: object) -> object:
            if self.failing:
                self.failing -= 1
                raise HearthError("state_unavailable")
            return await getattr(self._store, name)(*words)

        return ask
