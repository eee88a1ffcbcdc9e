"""The logs that others write and somebody here reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from gateway.errors import HearthError
from gateway.log.base import Position
from gateway.log.local import Log
from gateway.log.mirror import Mirror
from gateway.log.reading import Reading, Tail
from gateway.log.records import Keys, Packing
from gateway.redis.feed import Feed
from gateway.redis.link import Away

_LINGER_S: Final = 10.0
"""How long a mirror is kept that nobody reads."""
_WHOLE_S: Final = 1.0
"""How long an ended log is served without asking whether it is still kept: for those who come all at once."""
_SILENT_S: Final = 5.0
"""A writer that was not heard for so long may have been missed."""
_FOLLOW_S: Final = 5.0


class _Expired(Exception):
    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner


class Mirrors:
    """Opens mirrors, keeps them whole, and lets go of them."""

    def __init__(self, reading: Reading, keys: Keys, packing: Packing, clock: Callable[[], float]) -> None:
        self._reading = reading
        self._keys = keys
        self._packing = packing
        self._clock = clock
        self._feed: Feed | None = None
        self._mirrors: dict[str, Mirror] = {}
        self._channels: dict[str, Mirror] = {}
        self._loading: dict[str, asyncio.Task[Mirror]] = {}
        self._filling: set[asyncio.Task[None]] = set()

    def listen(self, feed: Feed) -> None:
        """Where the channels are heard."""
        self._feed = feed

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._filling, *self._loading.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def get(self, id: str) -> Mirror | None:
        """The mirror of a log, if there is one."""
        return self._mirrors.get(id)

    async def open(self, id: str, owner: str | None = None, after: Position | None = None) -> Mirror:
        """The mirror of a log; all who ask at once share one read. No owner: anybody's.

        It has what the log has up to that position, should it have been seen elsewhere before it was heard here.

        Raises HearthError `unknown_generation`, `expired`, `log_unavailable`.
        """
        mirror = self._mirrors.get(id)
        if mirror is None or id in self._loading or (self._clock() - mirror.whole_at > _WHOLE_S and mirror.log.ended):
            loading = self._loading.get(id)
            if loading is None:
                loading = self._loading[id] = asyncio.create_task(self._load(id), name=f"load {id}")
                loading.add_done_callback(lambda task: self._loading.pop(id, None))
            mirror = await _checked(asyncio.shield(loading), owner)
        else:
            _check_owner(mirror, owner)
        mirror.wanted_at = self._clock()
        if after is not None and (after.epoch != mirror.log.epoch or after.offset > mirror.log.tail):
            try:
                await self._fill(mirror)
            except Away:
                raise HearthError("log_unavailable") from None
        return mirror

    async def look(self, id: str, owner: str) -> Mirror:
        """A mirror for one look: nothing is followed, and nobody counts as a reader. Raises as `open`."""
        return await _checked(self._read(id), owner)

    async def adopt(self, log: Log) -> None:
        """Follow a log from now on that was written here. Raises Away."""
        mirror = Mirror(log, self._clock())
        await self._follow(mirror)
        await self._fill(mirror)

    async def drop(self, id: str) -> None:
        """Let go of a mirror; harmless when there is none."""
        mirror = self._mirrors.pop(id, None)
        if mirror is not None:
            channel = self._keys.channel(id)
            if self._channels.pop(channel, None) is not None and self._feed is not None:
                await self._feed.leave([channel])

    async def lose_all(self, code: str) -> None:
        """Send away all who read a log that may go on without their being told."""
        for id, mirror in list(self._mirrors.items()):
            if not mirror.log.ended:
                mirror.log.lose(code)
                await self.drop(id)

    def heard(self, channel: str, data: bytes) -> None:
        """Take a message from a channel."""
        mirror = self._channels.get(channel)
        if mirror is None:
            return
        mirror.heard_at = self._clock()
        try:
            mirror.hear(self._packing.unpack(data))
        except ValueError:
            # Of another version of Hearth, or no message of ours: the stream says what is so.
            mirror.torn = True
        if mirror.torn:
            self._mend(mirror)

    def torn(self, channels: Sequence[str]) -> None:
        """The connection was made anew: anything may have been missed."""
        for channel in channels:
            mirror = self._channels.get(channel)
            if mirror is not None:
                mirror.torn = True
                self._mend(mirror)

    async def sweep(self, now_ms: int, patience_s: float) -> list[str]:
        """Look after mirrors: drop those that nobody reads, fill gaps.

        Tells which logs are read here and have no writer any more: their lease has lapsed at `now_ms` (Redis' time), or
        Redis has known nothing of them for so long. Raises Away.
        """
        now = self._clock()
        for id, mirror in list(self._mirrors.items()):
            if not mirror.log.readers and now - mirror.wanted_at > _LINGER_S and id not in self._loading:
                await self.drop(id)
        silent = [
            mirror
            for mirror in self._mirrors.values()
            if not (mirror.log.ended or mirror.log.lost or mirror.log.generation.remote)
            and now - mirror.heard_at > min(_SILENT_S, patience_s)
        ]
        if not silent:
            return []
        tails = await self._reading.tails([mirror.log.generation.id for mirror in silent])
        return [
            mirror.log.generation.id
            for mirror, tail in zip(silent, tails, strict=True)
            if self._is_left(mirror, tail, now, now_ms, patience_s)
        ]

    def _is_left(self, mirror: Mirror, tail: Tail, now: float, now_ms: int, patience_s: float) -> bool:
        if tail.epoch is None:
            if mirror.missing_since is None:
                mirror.missing_since = now
            return now - mirror.missing_since > patience_s
        mirror.missing_since = None
        if tail.epoch != mirror.log.epoch or tail.tail > mirror.log.tail or tail.lease is None:
            mirror.torn = True
            self._mend(mirror)
        return tail.lease is not None and tail.lease < now_ms

    async def _load(self, id: str) -> Mirror:
        mirror = await self._read(id)
        if mirror.log.ended:
            self._mirrors[id] = mirror
        else:
            await self._follow(mirror)
            # What was appended between the two is in the stream by now.
            await self._fill(mirror)
        return mirror

    async def _read(self, id: str) -> Mirror:
        found = await self._reading.log(id)
        if found is None:
            raise HearthError("unknown_generation")
        if found.generation is None:
            raise _Expired(found.owner)
        mirror = Mirror(Log(found.generation, found.epoch), self._clock())
        mirror.log.past = found.past
        mirror.read(found.epoch, found.past, found.messages)
        return mirror

    async def _follow(self, mirror: Mirror) -> None:
        id = mirror.log.generation.id
        channel = self._keys.channel(id)
        self._mirrors[id] = self._channels[channel] = mirror
        assert self._feed is not None
        try:
            await self._feed.follow(channel, _FOLLOW_S)
        except BaseException:
            await self.drop(id)
            raise

    def _mend(self, mirror: Mirror) -> None:
        if not mirror.filling:
            mirror.filling = True
            self._spawn(self._fill_until_whole(mirror))

    async def _fill_until_whole(self, mirror: Mirror) -> None:
        try:
            while mirror.torn:
                await self._fill(mirror)
        except Away:
            # The next sweep, or the next message, tries again.
            mirror.torn = False
        finally:
            mirror.filling = False

    async def _fill(self, mirror: Mirror) -> None:
        mirror.torn = False
        found = await self._reading.log(mirror.log.generation.id, mirror.log.tail + 1, generation=False)
        if found is not None:
            mirror.read(found.epoch, found.past, found.messages)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="fill")
        self._filling.add(task)
        task.add_done_callback(self._filling.discard)


async def _checked(reading: Awaitable[Mirror], owner: str | None) -> Mirror:
    """What was read, for that owner. Raises HearthError `unknown_generation`, `expired`, `log_unavailable`."""
    try:
        mirror = await reading
    except Away:
        raise HearthError("log_unavailable") from None
    except _Expired as expired:
        known = owner in (None, expired.owner)
        raise HearthError("expired" if known else "unknown_generation") from None
    _check_owner(mirror, owner)
    return mirror


def _check_owner(mirror: Mirror, owner: str | None) -> None:
    if owner not in (None, mirror.log.generation.owner):
        raise HearthError("unknown_generation")
