"""The store in Redis keeps the contract that the one in memory keeps."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import redis

from gateway.log.base import Retention
from gateway.log.redis import RedisLogs
from gateway.redis.address import Address
from tests.gateway.log.contract import Bench, LogContract, MakeBench
from tests.turning import Turned


def shift(url: str, prefix: str, seconds: float) -> None:
    """Let Redis' own time pass for every key of one bench."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            left = round(client.pttl(key) - seconds * 1000)
            if left > 0:
                client.pexpire(key, left)
            elif client.pttl(key) > 0:
                client.delete(key)


class TestRedisLogs(LogContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[MakeBench]:
        begun: list[RedisLogs] = []

        async def make(retention: Retention) -> Bench:
            clock, prefix = Turned(), f"test-{secrets.token_hex(4)}"
            address = Address.parse(redis_url)
            here, elsewhere = [RedisLogs(address, clock, retention, prefix=prefix) for _ in range(2)]
            for logs in (here, elsewhere):
                begun.append(logs)
                await logs.start()

            def turn(seconds: float) -> None:
                clock.turn(seconds)
                shift(redis_url, prefix, seconds)

            return Bench(here, elsewhere, turn)

        yield make
        for logs in begun:
            await logs.close()
