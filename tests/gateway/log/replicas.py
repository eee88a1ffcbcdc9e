"""Several stores on one Redis, as several replicas have them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from gateway.events import Event
from gateway.log.base import Retention
from gateway.log.redis import RedisLogs
from gateway.log.writer import RedisWriter
from gateway.redis.address import Address

MODELS = frozenset({"demo"})
LEASE_S = 0.4


@asynccontextmanager
async def replicas(
    url: str, count: int = 2, *, lease_s: float = LEASE_S, retention: Retention | None = None
) -> AsyncIterator[list[RedisLogs]]:
    """So many of them, in real time."""
    prefix, address = f"test-{secrets.token_hex(4)}", Address.parse(url)
    made = [RedisLogs(address, monotonic, retention, lease_s=lease_s, prefix=prefix) for _ in range(count)]
    try:
        for logs in made:
            await logs.start()
        yield made
    finally:
        for logs in made:
            await logs.close()


async def die(logs: RedisLogs) -> None:
    """Fall silent, as a process that was killed some moments after its logs began."""
    await logs._succession.note_running(list(logs._running))
    for task in logs._tasks:
        task.cancel()


async def orphan(logs: RedisLogs, seconds: float = 10.0) -> RedisWriter:
    """The first log that this replica takes over."""
    async with asyncio.timeout(seconds):
        while True:
            for writer in await logs.orphans(MODELS):
                return writer


async def orphans(logs: RedisLogs, seconds: float) -> Sequence[RedisWriter]:
    """All logs that this replica takes over in that time."""
    found: list[RedisWriter] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                found += await logs.orphans(MODELS)
    except TimeoutError:
        return found


async def sweeping(*all_logs: RedisLogs) -> None:
    """Sweep all the time, as a gateway's watch does."""
    while True:
        for logs in all_logs:
            await logs.sweep()
        await asyncio.sleep(0)


def events_of(writer: RedisWriter) -> list[Event]:
    """All that its log holds."""
    return list(writer.log.between(0, writer.log.tail + 1))
