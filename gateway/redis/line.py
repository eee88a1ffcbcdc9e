"""One connection that hears channels, and is made again when it breaks."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.redis.link import Away, heed_cancel, reason

_PING_S: Final = 5.0
"""A connection that is silent for twice as long is dead: it is asked to speak in between."""
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_AT_ONCE: Final = 500
"""Channels in one command when all are asked for again."""

_log = logging.getLogger(__name__)


class Line:
    """Hears its channels. `heard` is called with each message, `torn` with the channels that may have missed some.

    `connect` gives a client for each attempt. The channels in `base` are always heard, so that there is always one.
    Run by its owner's task.
    """

    def __init__(
        self,
        connect: Callable[[], Redis],
        base: Sequence[str],
        heard: Callable[[str, bytes], None],
        torn: Callable[[list[str]], None],
        *,
        broken: Callable[[], None] | None = None,
        sharded: bool = False,
    ) -> None:
        self.reason: str | None = "it was not reached yet"
        """Why nothing is heard; None while something would be."""
        self._told: str | None = None
        """What was last said of it in the server's log."""
        self.breaks = 0
        """How often it was broken, or could not be made."""
        self.channels: set[str] = set()
        self._connect = connect
        self._base = base
        self._heard = heard
        self._torn = torn
        self._broken = broken
        """Told after each failure: some of the channels may be heard elsewhere now."""
        self._sharded = sharded
        self._pubsub: Any = None
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._silent = False

    async def run(self) -> None:
        """Hear until cancelled."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001
                # The border of the task: were it to end, nothing would ever be heard again.
                heed_cancel()
                pause = _FIRST_PAUSE_S if self.reason is None else min(pause * 2, _LONGEST_PAUSE_S)
                told = reason(error)
                if told != self._told:
                    _log.warning("Redis (channels) is away: %s", told)
                self.reason = self._told = told
                self.breaks += 1
                if self._broken is not None:
                    self._broken()
            await asyncio.sleep(pause)

    async def take(self, channels: Sequence[str]) -> None:
        """Have these heard, which were heard by another line so far; without waiting until they are."""
        new = [channel for channel in channels if channel not in self.channels]
        self.channels.update(new)
        if self.reason is None:
            try:
                await self._ask(new)
            except (RedisError, OSError):
                return  # Asked for again with the next connection.
            self._torn(new)

    async def follow(self, channel: str, seconds: float) -> None:
        """Have this channel heard from now on. Raises Away when it is not in that time; it stays asked for."""
        if channel in self.channels and channel not in self._waiting and self.reason is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, []).append(future)
        try:
            async with asyncio.timeout(seconds):
                if channel not in self.channels:
                    self.channels.add(channel)
                    if self.reason is None:
                        await self._ask([channel])
                await future
        except (RedisError, OSError) as error:
            raise Away(reason(error)) from None
        except TimeoutError:
            raise Away(self.reason or "it gave no answer in time") from None
        finally:
            waiting = self._waiting.get(channel, [])
            if future in waiting:
                waiting.remove(future)
            if not waiting:
                self._waiting.pop(channel, None)

    async def leave(self, channels: Sequence[str]) -> None:
        """Hear these no more."""
        left = [channel for channel in channels if channel in self.channels]
        self.channels.difference_update(left)
        if not left or self.reason is not None:
            return
        try:
            for batch in self._batches(left):
                await (self._pubsub.sunsubscribe if self._sharded else self._pubsub.unsubscribe)(*batch)
        except (RedisError, OSError):
            return  # Whoever reads the connection finds out as well, and asks anew for those that are left.

    async def _hear(self) -> None:
        async with self._connect() as client, client.pubsub() as pubsub:
            self._pubsub = pubsub
            async with asyncio.timeout(_PING_S):
                await pubsub.subscribe(*self._base)
                await self._ask(list(self.channels))
            heed_cancel()
            pinging = asyncio.create_task(self._ping(pubsub), name="ping")
            try:
                await self._read(pubsub.connection)
            finally:
                self.reason = self.reason or "the connection broke"
                pinging.cancel()
                await asyncio.wait([pinging])

    async def _ask(self, channels: Sequence[str]) -> None:
        for batch in self._batches(channels):
            await (self._pubsub.ssubscribe if self._sharded else self._pubsub.subscribe)(*batch)

    def _batches(self, channels: Sequence[str]) -> list[Sequence[str]]:
        # Channels of a cluster's shard lie in different slots, and one command may name one slot alone.
        size = 1 if self._sharded else _AT_ONCE
        return [channels[start : start + size] for start in range(0, len(channels), size)]

    async def _read(self, connection: Any) -> None:
        left = len(self._base)
        while True:
            # Not through the library's own get_message, which costs several times as much for each message.
            kind, channel, *data = await connection.read_response(timeout=math.inf, push_request=True)
            self._silent = False
            if kind in (b"message", b"smessage"):
                self._heard(channel.decode(), data[0])
            elif kind in (b"subscribe", b"ssubscribe"):
                left -= 1
                if left == 0:
                    # Every channel was asked for before: from here on nothing new is missed.
                    self.reason = self._told = None
                    self._torn(list(self.channels))
                for future in self._waiting.get(channel.decode(), []):
                    if not future.done():
                        future.set_result(None)
            elif kind == b"sunsubscribe" and channel.decode() in self.channels:
                raise ConnectionError("the channels were moved to another node")

    async def _ping(self, pubsub: Any) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            if self._silent:
                await pubsub.connection.disconnect(nowait=True)
                return
            self._silent = True
            try:
                await pubsub.ping()
            except (RedisError, OSError):
                return
