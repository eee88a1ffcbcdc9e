"""Logs in Redis: any replica writes, any replica reads."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Coroutine, Sequence
from typing import Any, Final

from redis.asyncio import RedisCluster

from gateway.errors import HearthError
from gateway.events import Canceled, Event, Timings, Usage
from gateway.generation import Generation
from gateway.log.base import Fenced, Position, Retention, Writer, new_epoch, new_log
from gateway.log.janitor import Ended, Janitor
from gateway.log.local import Log
from gateway.log.mirror import Mirror
from gateway.log.mirrors import Mirrors
from gateway.log.reading import Reading
from gateway.log.records import Keys, Packing
from gateway.log.scribe import Hooks, RedisScribe, script
from gateway.log.succession import Parts, Succession
from gateway.log.writer import RedisWriter
from gateway.redis.address import Address
from gateway.redis.feed import Feed
from gateway.redis.link import Away, Link

_WRITE_S: Final = 1.0
"""How long streams wait for Redis before they go on without it."""
_HICCUP_S: Final = 1.5
"""How long a new log waits for a Redis that has only just gone away: it may as well be this process that was slow."""
_READ_S: Final = 5.0
_CONNECTIONS: Final = 4

_NEVER_BEGAN: Final = Canceled("abandoned", Usage(), Timings())
"""How a log ends whose caller left before it stood in Redis."""

_log = logging.getLogger(__name__)


class RedisLogs:
    """The store that replicas share; see Logs for what it promises. `clock` gives steady seconds."""

    def __init__(
        self,
        address: Address,
        clock: Callable[[], float],
        retention: Retention | None = None,
        *,
        lease_s: float = 10.0,
        prefix: str = "hearth",
        sweep_s: float = 5.0,
    ) -> None:
        self.replica = new_epoch()
        """This process' name among the replicas."""
        self._address = address
        self._clock = clock
        self._retention = retention or Retention()
        self._lease_s = lease_s
        self._sweep_s = sweep_s
        self._swept_at = -math.inf
        self._keys = Keys(prefix)
        packing = Packing()
        self._writes = Link("writing", address.client(connections=2, timeout_s=_WRITE_S), clock, _WRITE_S)
        self._reads = Link("reading", address.client(connections=_CONNECTIONS, timeout_s=_READ_S), clock, _READ_S)
        hooks = Hooks(self._kept, self._fenced)
        self._scribe = RedisScribe(self._writes, self._keys, packing, lease_s, clock, hooks)
        self._scribe.on_return = self._restore
        self._reading = Reading(self._reads, self._keys, packing)
        self._janitor = Janitor(self._reads, self._keys, self._retention)
        self._mirrors = Mirrors(self._reading, self._keys, packing, clock)
        self._feed: Feed | None = None
        self._breaks, self._broke_at = 0, -math.inf
        self._cancel = script("cancel")
        self._running: dict[str, RedisWriter] = {}
        self._ended: OrderedDict[str, Log] = OrderedDict()
        """Logs that were written here, while they are kept: their readers need not ask Redis."""
        self._begun: list[str] = []
        """Running logs that the index does not know yet."""
        self._indexing = asyncio.Event()
        self._finished: dict[str, Ended] = {}
        """Ended logs that the index does not know yet."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._succession = Succession(
            Parts(
                self.replica,
                self._writes,
                self._reads,
                self._keys,
                self._reading,
                self._mirrors,
                self._janitor,
                self._scribe,
                self._running,
                self._retention,
                clock,
                lease_s,
            )
        )

    @property
    def shared(self) -> bool:
        return True

    @property
    def trouble(self) -> str | None:
        for link in (self._writes, self._reads):
            if link.reason is not None:
                return f"Redis: {link.reason}"
        return f"Redis: {self._feed.reason}" if self._feed is not None and self._feed.reason else None

    # Life

    async def start(self) -> None:
        try:
            await self._scribe.meet()
        except Away as away:
            _log.warning("Redis at %s is away: %s. Work goes on without it.", self._address.shown, away)
        own = self._keys.replica(self.replica)
        self._feed = Feed(self._address, [self._keys.everybody, own], self._heard, self._mirrors.torn, self._shards)
        self._mirrors.listen(self._feed)
        self._feed.start()
        self._spawn(self._scribe.run())
        self._spawn(self._succession.keep_leases())
        self._spawn(self._index())

    def _shards(self) -> RedisCluster | None:
        return self._writes.client if self._scribe.sharded else None

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._mirrors.close()
        if self._feed is not None:
            await self._feed.close()
        await self._writes.close()
        await self._reads.close()

    # Writing

    async def create(self, generation: Generation, *events: Event) -> RedisWriter:
        if generation.id in self._running:
            raise Fenced(generation.id)
        log = new_log(generation, self._retention)
        writer = RedisWriter(log, self._succession.fence(), self._scribe, self._retention)
        writer.fresh = True
        if events:
            writer.stage(*events)
        if generation.remote:
            await self._create_remote(writer)
            return writer
        self._running[generation.id] = writer
        if not self._scribe.away or self._clock() - self._writes.since < _HICCUP_S:
            await self._begin(writer)
        return writer

    async def _begin(self, writer: RedisWriter) -> None:
        """Have the log in Redis before anybody is told of it, who would not find it elsewhere."""
        try:
            async with asyncio.timeout(_HICCUP_S):
                while not writer.begun:
                    await writer.flushed()
        except TimeoutError:
            return
        except asyncio.CancelledError:
            # Redis may have it by now: it is ended there, so that nobody goes on with it.
            if not (writer.taken or writer.ended):
                writer.stage(_NEVER_BEGAN)
            raise

    async def _create_remote(self, writer: RedisWriter) -> None:
        """Begin a log that any replica may write next: it has no lease, and is read from Redis here too."""
        try:
            await self._mirrors.drop(writer.log.generation.id)
            await writer.flushed()
            await self._mirrors.adopt(writer.log)
        except Away:
            raise HearthError("log_unavailable") from None

    async def take(self, id: str) -> RedisWriter:
        try:
            return await self._succession.take(id)
        except Away:
            raise HearthError("log_unavailable") from None

    async def let_go(self, writer: Writer) -> None:
        assert isinstance(writer, RedisWriter)
        if self._running.pop(writer.log.generation.id, None) is None:
            return
        await self._succession.let_go(writer)
        if writer.log.readers:
            self._spawn(self._follow(writer.log))

    # Reading

    async def open(self, id: str, owner: str, after: Position | None = None) -> Log:
        writer = self._running.get(id)
        if writer is not None and after is not None and not _has(writer.log, after):
            await self._confirm(writer)
            writer = self._running.get(id)
        log = writer.log if writer is not None else self._ended.get(id)
        if log is None:
            log = await self._found(self._mirrors.open(id, owner, after))
        if log.generation.owner != owner:
            raise HearthError("unknown_generation")
        return log

    async def look(self, id: str, owner: str) -> Log:
        if id in self._running or id in self._ended or self._mirrors.get(id) is not None:
            return await self.open(id, owner)
        return await self._found(self._mirrors.look(id, owner))

    async def _confirm(self, writer: RedisWriter) -> None:
        """Somebody saw elsewhere what is not shown here: it is about to be, or another replica has taken this log."""
        try:
            await writer.flushed()
        except Fenced:
            return

    async def _found(self, opening: Awaitable[Mirror]) -> Log:
        try:
            return (await opening).log
        except HearthError as error:
            if error.code == "unknown_generation" and self._shaken:
                # Its writer may have had to go on without Redis, and will give it the log.
                raise HearthError("log_unavailable") from None
            raise

    @property
    def _shaken(self) -> bool:
        """Whether Redis was away, or slow, so lately that it may lack what a living writer has."""
        shaken = max(self._writes.shaken_at, self._reads.shaken_at, self._last_break())
        return not self._writes.up or self._clock() - shaken < self._lease_s

    def _last_break(self) -> float:
        """When the channels broke last, as far as that was looked for."""
        assert self._feed is not None
        if self._feed.breaks != self._breaks:
            self._breaks, self._broke_at = self._feed.breaks, self._clock()
        return self._broke_at

    # Between replicas

    async def cancel(self, id: str) -> None:
        try:
            fence = await self._writes.script(self._cancel, [self._keys.meta(id)], [])
            if fence is not None:
                replica = fence.decode().partition(".")[0]
                await self._writes.run(self._writes.client.publish(self._keys.replica(replica), f"cancel {id}"))
        except Away:
            raise HearthError("log_unavailable") from None

    async def followed(self, writer: Writer) -> bool | None:
        channel = self._keys.channel(writer.log.generation.id)
        client = self._reads.client
        asked = client.pubsub_shardnumsub(channel) if self._scribe.sharded else client.pubsub_numsub(channel)
        try:
            [(_, count)] = await self._reads.run(asked)
        except Away:
            return None
        return bool(count)

    async def orphans(self, models: Container[str]) -> Sequence[RedisWriter]:
        return await self._succession.orphans(models)

    async def sweep(self) -> None:
        now = self._clock()
        size = sum(log.size for log in self._ended.values())
        for id, log in list(self._ended.items()):
            assert log.ended_at is not None
            if now - log.ended_at >= self._retention.kept_s(log.generation) or size > self._retention.total_bytes:
                size -= log.size
                del self._ended[id]
        self._last_break()
        try:
            if not self._scribe.run_id:
                await self._scribe.meet()
            if not self._reads.up:
                await self._reads.run(self._reads.client.ping())
            finished = dict(self._finished)
            await self._janitor.ended(finished, self._scribe.now_ms)
            for id in finished:
                del self._finished[id]
            if now - self._swept_at >= self._sweep_s:
                self._swept_at = now
                running = {id: writer.log.size for id, writer in self._running.items() if writer.begun}
                await self._janitor.sweep(running, self._scribe.now_ms, self._sweep_s)
            for id in await self._mirrors.sweep(self._scribe.now_ms, self._lease_s):
                if self._succession.sound:
                    self._succession.free(id)
        except Away:
            if not self._reads.up and now - self._reads.since > self._lease_s:
                # Their writers may be well, and other replicas are asked by whoever comes back.
                await self._mirrors.lose_all("log_unavailable")

    # What Redis and the other replicas say

    def _kept(self, writer: RedisWriter) -> None:
        if writer.renewed == 0 and not writer.log.generation.remote:
            self._begun.append(writer.log.generation.id)
            self._indexing.set()
        writer.renewed = self._clock()
        log = writer.log
        if log.ended and not writer.waiting:
            id = log.generation.id
            self._finished[id] = Ended(log.size, self._retention.kept_s(log.generation))
            if log.generation.remote:
                return
            self._running.pop(id, None)
            if id not in self._ended:
                log.ended_at = self._clock()
                self._ended[id] = log

    def _fenced(self, writer: RedisWriter) -> None:
        """Another replica writes this log now: read what that one says."""
        id = writer.log.generation.id
        if self._running.get(id) is writer:
            del self._running[id]
        if writer.log.generation.remote:
            return
        if writer.alone:
            # Its readers have seen what the other one never will.
            writer.log.lose("lost_lease")
        elif writer.log.readers:
            self._spawn(self._follow(writer.log))

    def _heard(self, channel: str, data: bytes) -> None:
        if channel == self._keys.everybody or channel == self._keys.replica(self.replica):
            word, _, id = data.decode(errors="replace").partition(" ")
            if word == "free":
                self._succession.free(id)
            elif word == "cancel" and id in self._running:
                self._running[id].on_cancel()
        else:
            self._mirrors.heard(channel, data)

    @property
    def run(self) -> str:
        """Which run of Redis has the logs; empty before any was met."""
        return self._scribe.run_id

    def _restore(self) -> None:
        """Redis is back: send what it missed, and see whether it still has what it had."""
        for writer in self._running.values():
            self._scribe.carry(writer)

    async def _index(self) -> None:
        """Tell the index of running logs what has begun; who begins one does not wait for that."""
        while True:
            await self._indexing.wait()
            self._indexing.clear()
            begun, self._begun = self._begun, []
            await self._succession.note_running(begun)

    async def _follow(self, log: Log) -> None:
        try:
            await self._mirrors.adopt(log)
        except Away:
            log.lose("log_unavailable")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _has(log: Log, after: Position) -> bool:
    return after.epoch == log.epoch and after.offset <= log.tail
