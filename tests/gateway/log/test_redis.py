"""The store in Redis keeps the contract that the one in memory keeps."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from redis import Redis, RedisCluster

from gateway.log.base import Retention
from gateway.log.redis import RedisLogs
from gateway.redis.address import Address
from tests.gateway.log.contract import Bench, LogContract, MakeBench
from tests.turning import Turned


def shift(url: str, prefix: str, seconds: float) -> None:
    """Let Redis' own time pass for every key of one bench."""
    address = Address.parse(url)
    clustered = address.kind == "cluster"
    with RedisCluster(*address.hosts[0]) if clustered else Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            left = client.pttl(key)
            if left > seconds * 1000:
                client.pexpire(key, round(left - seconds * 1000))
            elif left > 0:
                client.delete(key)


class RedisBench:
    """Two replicas on one Redis."""

    @pytest.fixture
    async def bench(self, url: str) -> AsyncIterator[MakeBench]:
        begun: list[RedisLogs] = []

        async def make(retention: Retention) -> Bench:
            clock, prefix = Turned(), f"test-{secrets.token_hex(4)}"
            here, elsewhere = [
                RedisLogs(Address.parse(url), clock, retention, prefix=prefix, sweep_s=0) for _ in range(2)
            ]
            for logs in (here, elsewhere):
                begun.append(logs)
                await logs.start()

            def turn(seconds: float) -> None:
                clock.turn(seconds)
                shift(url, prefix, seconds)

            return Bench(here, elsewhere, turn)

        yield make
        for logs in begun:
            await logs.close()


class TestRedisLogs(RedisBench, LogContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url
