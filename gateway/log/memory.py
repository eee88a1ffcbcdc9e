"""Logs in the memory of one process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from gateway.errors import HearthError
from gateway.events import Event, is_terminal
from gateway.generation import Generation
from gateway.log.base import Fenced, Position, Retention, Writer, new_log
from gateway.log.local import Log


class _Tombstone(NamedTuple):
    owner: str
    until: float


class MemoryLogs:
    """The store for one process; see Logs for what it promises."""

    def __init__(self, clock: Callable[[], float], retention: Retention | None = None) -> None:
        self._clock = clock
        self._retention = retention or Retention()
        self._logs: dict[str, Log] = {}
        self._writers: dict[str, MemoryWriter] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._gone: OrderedDict[str, _Tombstone] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held, roughly."""
        return sum(log.size for log in self._logs.values())

    @property
    def running(self) -> list[Log]:
        """The logs that have not ended."""
        return [self._logs[id] for id in self._writers]

    @property
    def held(self) -> list[Log]:
        """Every log that can be read."""
        return list(self._logs.values())

    async def create(self, generation: Generation, *events: Event) -> MemoryWriter:
        if generation.id in self._writers:
            raise Fenced(generation.id)
        assert not any(map(is_terminal, events)), "a log ends after it has begun"
        log = new_log(generation, self._retention)
        log.extend(events)
        self._ended.pop(generation.id, None)
        self._logs[generation.id] = log
        writer = self._writers[generation.id] = MemoryWriter(self, log)
        return writer

    async def take(self, id: str) -> MemoryWriter:
        log = self._logs.get(id)
        if log is None:
            raise HearthError("expired" if id in self._gone else "unknown_generation")
        if log.ended:
            raise Fenced(id)
        writer = self._writers[id] = MemoryWriter(self, log)
        return writer

    async def open(self, id: str, owner: str, after: Position | None = None) -> Log:
        log = self._logs.get(id)
        if log is not None and log.generation.owner == owner:
            return log
        tombstone = self._gone.get(id)
        if tombstone is not None and tombstone.owner == owner:
            raise HearthError("expired")
        raise HearthError("unknown_generation")

    @property
    def shared(self) -> bool:
        return False

    @property
    def trouble(self) -> str | None:
        return None

    async def start(self) -> None:
        """Memory does nothing by itself."""

    async def close(self) -> None:
        """Nothing was begun."""

    async def cancel(self, id: str) -> None:
        if id in self._writers:
            self._writers[id].on_cancel()

    async def followed(self, writer: Writer) -> bool | None:
        return False

    async def let_go(self, writer: Writer) -> None:
        """There is nobody else to take it."""

    async def orphans(self, models: Container[str]) -> Sequence[Writer]:
        # There is no other replica whose logs could be left behind.
        never: asyncio.Future[Sequence[Writer]] = asyncio.get_running_loop().create_future()
        return await never

    async def look(self, id: str, owner: str) -> Log:
        return await self.open(id, owner)

    async def sweep(self) -> None:
        now = self._clock()
        size = self.size
        for id in list(self._ended):
            log = self._logs[id]
            assert log.ended_at is not None
            if now - log.ended_at >= self._retention.kept_s(log.generation) or size > self._retention.total_bytes:
                size -= log.size
                self._expire(log, now)
        while self._gone:
            id, tombstone = next(iter(self._gone.items()))
            if tombstone.until > now:
                break
            del self._gone[id]

    def _append(self, writer: MemoryWriter, events: tuple[Event, ...]) -> None:
        log = writer.log
        if self._writers.get(log.generation.id) is not writer:
            raise Fenced(log.generation.id)
        ends = is_terminal(events[-1])
        assert len(events) == 1 or not any(map(is_terminal, events[:-1])), "a terminal event is the last one"
        if not ends and log.size > self._retention.log_bytes:
            raise HearthError("log_full")
        if ends:
            log.ended_at = self._clock()
            del self._writers[log.generation.id]
            self._ended[log.generation.id] = None
        log.extend(events)

    def _expire(self, log: Log, now: float) -> None:
        id = log.generation.id
        del self._logs[id], self._ended[id]
        self._gone[id] = _Tombstone(log.generation.owner, now + self._retention.remembered_s)


class MemoryWriter:
    """The writer of one log in memory."""

    def __init__(self, logs: MemoryLogs, log: Log) -> None:
        self._logs = logs
        self.log = log
        self.on_cancel: Callable[[], None] = lambda: None
        self.on_fenced: Callable[[], None] = lambda: None
        self.cancelled = False

    def stage(self, *events: Event) -> None:
        self._logs._append(self, events)

    async def append(self, *events: Event) -> None:
        self.stage(*events)
