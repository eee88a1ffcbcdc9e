"""What is published in Redis, as this process hears it: one connection, or one for each shard of a cluster."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from gateway.redis.address import Address
from gateway.redis.line import Line

_CONNECT_S: Final = 5.0


class Feed:
    """Hears channels. `heard` and `torn` as in Line; `base` are the channels that every replica hears."""

    def __init__(
        self,
        address: Address,
        base: Sequence[str],
        heard: Callable[[str, bytes], None],
        torn: Callable[[list[str]], None],
        shards: Callable[[], RedisCluster | None] = lambda: None,
    ) -> None:
        self._address = address
        self._base = base
        self._heard = heard
        self._torn = torn
        self._shards: Callable[[], Any] = shards
        """The cluster whose sharded channels are heard; None where every node publishes everything."""
        self._hosts = itertools.cycle(address.hosts)
        self._main = Line(self._anywhere, base, heard, torn)
        self._lines: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to hear."""
        self._spawn(self._main.run(), "feed")

    async def close(self) -> None:
        """Hear no more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def reason(self) -> str | None:
        """Why some channel is not heard; None when all are."""
        return next((line.reason for line in (self._main, *self._lines.values()) if line.reason), None)

    @property
    def breaks(self) -> int:
        """How often a connection was broken, or could not be made."""
        return sum(line.breaks for line in (self._main, *self._lines.values()))

    async def follow(self, channel: str, seconds: float) -> None:
        """Have a channel heard from now on. Raises Away."""
        await self._line(channel).follow(channel, seconds)

    async def leave(self, channels: Sequence[str]) -> None:
        """Hear these no more."""
        for line in (self._main, *self._lines.values()):
            await line.leave(channels)

    def _move(self, name: str) -> None:
        """A node is gone, or has given slots away: hear its channels where they are now."""
        line = self._lines[name]
        moved: dict[str, list[str]] = {}
        for channel in line.channels:
            node = self._shards().get_node_from_key(channel)
            if node.name != name:
                moved.setdefault(node.name, []).append(channel)
        for channels in moved.values():
            line.channels.difference_update(channels)
            self._spawn(self._line(channels[0]).take(channels), "move channels")

    def _line(self, channel: str) -> Line:
        shards = self._shards()
        if shards is None:
            return self._main
        node = shards.get_node_from_key(channel)
        name: str = node.name
        line = self._lines.get(name)
        if line is None:
            at = replace(self._address, kind="single", hosts=((node.host, node.port),))
            # Nobody speaks there: a connection has to hear something, or the library takes it for one with commands.
            base = [f"{self._base[0]}:nothing"]
            broken = partial(self._move, name)
            line = Line(lambda: _listener(at), base, self._heard, self._torn, broken=broken, sharded=True)
            self._lines[name] = line
            self._spawn(line.run(), f"feed {name}")
        return line

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _anywhere(self) -> Redis:
        if self._address.kind != "cluster":
            return _listener(self._address)
        # Any node of a cluster tells what is published on the others; the next one, should this one be gone.
        return _listener(replace(self._address, kind="single", hosts=(next(self._hosts),)))


def _listener(address: Address) -> Redis:
    client = address.listener(timeout_s=_CONNECT_S)
    assert isinstance(client, Redis)
    return client
