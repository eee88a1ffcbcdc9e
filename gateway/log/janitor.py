"""The indexes of all logs in Redis: which run, which ended, how large each is; and who is let go of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.log.base import Retention
from gateway.log.records import Keys
from gateway.redis.link import Link

_MOST: Final = 1000


class Ended(NamedTuple):
    """A log that has ended: its bytes, and for how many seconds it is kept."""

    size: int
    kept_s: float


class Janitor:
    """Keeps the indexes and the budget. Every replica has one; what they do twice is harmless."""

    def __init__(self, link: Link, keys: Keys, retention: Retention) -> None:
        self._link = link
        self._keys = keys
        self._retention = retention

    async def running(self, ids: Sequence[str], now_ms: int) -> None:
        """These run now. Raises Away."""
        if ids:
            await self._link.run(self._link.client.zadd(self._keys.running, dict.fromkeys(ids, now_ms)))

    async def stopped(self, ids: Sequence[str]) -> None:
        """These run no more. Raises Away."""
        if ids:
            await self._link.run(self._link.client.zrem(self._keys.running, *ids))

    async def ended(self, logs: Mapping[str, Ended], now_ms: int) -> None:
        """These have ended. Raises Away."""
        if logs:
            pipe = self._link.client.pipeline(transaction=False)
            pipe.zrem(self._keys.running, *logs)
            pipe.zadd(self._keys.ended, {id: now_ms + round(log.kept_s * 1000) for id, log in logs.items()})
            pipe.hset(self._keys.sizes, mapping={id: log.size for id, log in logs.items()})
            await self._link.run(pipe.execute())

    async def silent(self, before_ms: int) -> list[str]:
        """Logs that were not known to run since then. Raises Away."""
        found = await self._link.run(
            self._link.client.zrangebyscore(self._keys.running, "-inf", before_ms, start=0, num=_MOST)
        )
        return [id.decode() for id in found]

    async def sweep(self, running: Mapping[str, int], now_ms: int, every_s: float) -> None:
        """Note the sizes of our running logs, and keep to the budget, if no replica did so lately. Raises Away."""
        client = self._link.client
        if running:
            await self._link.run(client.hset(self._keys.sizes, mapping=dict(running)))
        turn = round(every_s * 900)
        if not turn or await self._link.run(client.set(self._keys.sweeper, 1, nx=True, px=turn)):
            await self._keep_to_budget(now_ms)

    async def _keep_to_budget(self, now_ms: int) -> None:
        """Let go of the oldest ended logs. Raises Away."""
        client = self._link.client
        gone = await self._link.run(client.zrangebyscore(self._keys.ended, "-inf", now_ms))
        sizes: dict[bytes, bytes] = await self._link.run(client.hgetall(self._keys.sizes))
        for id in gone:
            sizes.pop(id, None)
        total = sum(map(int, sizes.values()))
        if total > self._retention.total_bytes:
            for id in await self._link.run(client.zrange(self._keys.ended, len(gone), -1)):
                if total <= self._retention.total_bytes:
                    break
                total -= int(sizes.get(id, 0))
                gone.append(id)
        await self._forget([id.decode() for id in gone])

    async def _forget(self, ids: Sequence[str]) -> None:
        """What was let go of is remembered by its meta alone."""
        for start in range(0, len(ids), _MOST):
            batch = ids[start : start + _MOST]
            pipe: Any = self._link.client.pipeline(transaction=False)
            for id in batch:
                pipe.delete(self._keys.log(id))
                pipe.delete(self._keys.generation(id))
            pipe.zrem(self._keys.ended, *batch)
            pipe.hdel(self._keys.sizes, *batch)
            await self._link.run(pipe.execute())
