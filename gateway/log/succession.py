"""Who writes a log: the leases of those who do, and the logs of those who no longer can."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from gateway.errors import HearthError
from gateway.log.base import Fenced, Retention, new_epoch
from gateway.log.janitor import Janitor
from gateway.log.mirror import Mirror
from gateway.log.mirrors import Mirrors
from gateway.log.reading import Reading
from gateway.log.records import Keys, read_past
from gateway.log.scribe import RedisScribe, script
from gateway.log.writer import RedisWriter
from gateway.redis.link import Away, Link

_AT_ONCE: Final = 16
"""Orphans that are taken at the same time."""

_SOON_MS: Final = 250

_log = logging.getLogger(__name__)


class Parts(NamedTuple):
    """What a store of logs in Redis is made of; `running` are the logs that this process writes."""

    replica: str
    link: Link
    reads: Link
    keys: Keys
    reading: Reading
    mirrors: Mirrors
    janitor: Janitor
    scribe: RedisScribe
    running: dict[str, RedisWriter]
    retention: Retention
    clock: Callable[[], float]
    lease_s: float


class Succession:
    """Takes logs, keeps them, and lets go of them. A log is never taken while its writer may be alive, unless asked."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._take, self._let_go = script("take"), script("let_go")
        self._freed: set[str] = set()
        """Running logs whose writers are known to be gone."""
        self._freeing = asyncio.Event()
        self._unserved: dict[str, float] = {}
        """Orphans whose model is not served here, and since when they are known."""
        self._fences = 0

    def fence(self) -> str:
        """The name of a new writer: the replica, and a number of its own."""
        self._fences += 1
        return f"{self._parts.replica}.{self._fences}"

    @property
    def sound(self) -> bool:
        """Whether Redis has been there for so long that every living writer had the time to renew its lease."""
        # A replica that writes nothing just now has noticed by its reads alone that Redis was away, or slow.
        links, now = (self._parts.link, self._parts.reads), self._parts.clock()
        return all(link.up and now - max(link.since, link.shaken_at) > self._parts.lease_s for link in links)

    def free(self, id: str) -> None:
        """Nobody writes this log any more."""
        self._freed.add(id)
        self._freeing.set()

    async def let_go(self, writer: RedisWriter) -> None:
        """Give a log up, for whoever takes it first."""
        link, keys, id = self._parts.link, self._parts.keys, writer.log.generation.id
        try:
            await writer.flushed()
            writer.fence_off()
            await link.script(self._let_go, [keys.meta(id)], [writer.fence])
            await link.run(link.client.publish(keys.everybody, f"free {id}"))
        except (Away, Fenced):
            _log.warning("%s could not be handed over; its lease will lapse", id)

    async def keep_leases(self) -> None:
        """Renew the lease of every log that is silent, until cancelled."""
        parts = self._parts
        while True:
            await asyncio.sleep(parts.lease_s / 4)
            try:
                # Asked by whoever writes nothing as well: else nothing would show it that Redis is back.
                await parts.scribe.meet()
            except Away:
                continue
            now = parts.clock()
            for writer in parts.running.values():
                if now - writer.renewed > parts.lease_s / 5:
                    parts.scribe.carry(writer)
            # Reads may be slow where writes are not, and leases do not wait for them.
            with suppress(TimeoutError):
                async with asyncio.timeout(parts.lease_s / 4):
                    await self.note_running(list(parts.running))

    async def note_running(self, ids: Sequence[str]) -> None:
        """Tell the index that these run; while Redis is away, the next renewal does."""
        try:
            await self._parts.janitor.running(ids, self._parts.scribe.now_ms)
        except Away:
            return

    async def orphans(self, models: Container[str]) -> Sequence[RedisWriter]:
        """See Logs."""
        try:
            # Several times in a lease, and not all replicas at the same moment.
            async with asyncio.timeout(self._parts.lease_s * (150 + secrets.randbelow(100)) / 1000):
                await self._freeing.wait()
        except TimeoutError:
            pass
        self._freeing.clear()
        freed, self._freed = self._freed, set()
        try:
            if self.sound:
                before = self._parts.scribe.now_ms - round(self._parts.lease_s * 1000)
                freed |= {id for id in await self._parts.janitor.silent(before) if id not in self._parts.running}
            if freed:
                await self._parts.scribe.meet()
        except Away:
            self._freed |= freed
            return ()
        self._unserved = {id: since for id, since in self._unserved.items() if id in freed}
        taken: list[RedisWriter] = []
        waiting = list(freed)
        while waiting:
            batch, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            tried = await asyncio.gather(*(self._rescue(id, models) for id in batch))
            taken += [writer for writer in tried if writer is not None]
        return taken

    async def take(self, id: str, only_if: Literal["", "free", "lapsed"] = "") -> RedisWriter:
        """Become the writer of a log; or only if nobody has it, or its lease has lapsed too.

        Raises Away, Fenced, HearthError as Logs.
        """
        parts = self._parts
        if not only_if:
            # Asked anew: whether Redis may have forgotten something hangs on who answers now.
            await parts.scribe.meet()
        fence = self.fence()
        # Should Redis stand still before it gets to this, its writer could not have renewed the lease meanwhile.
        until = parts.scribe.now_ms + _SOON_MS
        arguments = [fence, only_if, round(parts.lease_s * 1000), parts.scribe.run_id, new_epoch(), until]
        keys = [parts.keys.meta(id), parts.keys.generation(id)]
        word, epoch, past, cancel = await parts.link.script(self._take, keys, arguments)
        match word:
            case b"unknown":
                mirror = parts.mirrors.get(id)
                if only_if and mirror is not None:
                    return await self._revived(mirror, fence)
                raise HearthError("unknown_generation")
            case b"expired":
                raise HearthError("expired")
            case b"ended" | b"held":
                if only_if and word == b"ended":
                    await parts.janitor.stopped([id])
                raise Fenced(id)
        writer = await self._writer(id, fence, epoch.decode(), read_past(past))
        writer.cancelled = bool(cancel)
        return writer

    async def _rescue(self, id: str, models: Container[str]) -> RedisWriter | None:
        """Take a log whose writer is gone, if nobody else has and this replica can go on with it."""
        mirror = self._parts.mirrors.get(id)
        try:
            generation = mirror.log.generation if mirror is not None else await self._parts.reading.generation(id)
            if generation is None:
                await self._parts.janitor.stopped([id])
                return None
            if generation.remote or not (generation.model in models or self._is_nobodys(id)):
                return None
            return await self.take(id, "lapsed" if self.sound else "free")
        except (Away, Fenced, HearthError):
            # Somebody else has it, or the index names it again in a while.
            return None

    def _is_nobodys(self, id: str) -> bool:
        """Whether every replica that serves the model of this orphan had the time to take it."""
        now = self._parts.clock()
        since = self._unserved.setdefault(id, now)
        if now - since < self._parts.lease_s:
            return False
        del self._unserved[id]
        return True

    async def _writer(self, id: str, fence: str, epoch: str, past: dict[str, int]) -> RedisWriter:
        parts = self._parts
        before = parts.running.pop(id, None)
        if before is not None:
            before.fence_off()
        mirror = Mirror(before.log, parts.clock()) if before is not None else await parts.mirrors.open(id)
        log = mirror.log
        found = await parts.reading.log(id, log.tail + 1, generation=False)
        if found is None:
            raise HearthError("unknown_generation")
        if epoch != log.epoch and log.tail > found.tail:
            # Redis has forgotten what was read here: these events are good, and Redis gets them back.
            past[log.epoch] = log.tail
            log.epoch, log.past = epoch, past
        else:
            mirror.read(epoch, past, found.messages)
        writer = RedisWriter(log, fence, parts.scribe, parts.retention, kept=found.tail)
        if not log.generation.remote:
            parts.running[id] = writer
            await parts.mirrors.drop(id)
            await self.note_running([id])
        return writer

    async def _revived(self, mirror: Mirror, fence: str) -> RedisWriter:
        """Give Redis a log back that it has lost, with all that is known of it here."""
        log, id = mirror.log, mirror.log.generation.id
        log.renew(new_epoch())
        writer = RedisWriter(log, fence, self._parts.scribe, self._parts.retention)
        await writer.flushed()
        self._parts.running[id] = writer
        await self._parts.mirrors.drop(id)
        return writer
