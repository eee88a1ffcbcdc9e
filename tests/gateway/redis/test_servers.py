"""The harm that tests do to Redis: it is what it says."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import RedisCluster
from redis.exceptions import OutOfMemoryError

from gateway.redis.address import Address
from tests.redis_cluster import cluster
from tests.redis_sentinel import sentinel
from tests.redis_server import redis_process


def test_a_restart_keeps_the_data_or_loses_it() -> None:
    with redis_process() as server:
        server.ask("SET", "a", 1)
        server.restart(keep_data=True)
        assert server.ask("GET", "a") == b"1"
        server.restart(keep_data=False)
        assert server.ask("GET", "a") is None


def test_a_pause_ends_by_itself() -> None:
    with redis_process() as server:
        began = time.monotonic()
        server.pause(0.3)
        assert server.ask("PING")
        assert 0.3 <= time.monotonic() - began < 3


def test_a_full_memory_refuses_writes() -> None:
    with redis_process() as server:
        server.config("maxmemory", "1")
        with pytest.raises(OutOfMemoryError):
            server.ask("SET", "a", 1)
        server.config("maxmemory", "0")
        assert server.ask("SET", "a", 1)


async def test_a_listener_of_a_cluster_hears_what_is_published_anywhere() -> None:
    with cluster() as found:
        address = Address.parse(found.url)
        listener, speaker = await address.listener(timeout_s=2), await address.client(connections=2, timeout_s=2)
        async with listener.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe("news")
            assert await heard.get_message(timeout=0.1) is None
            assert isinstance(speaker, RedisCluster)
            for node in speaker.get_primaries():
                await speaker.execute_command("PUBLISH", "news", b"late", target_nodes=node)
                async with asyncio.timeout(5):
                    while (said := await heard.get_message(timeout=1)) is None:
                        pass
                assert said["data"] == b"late"
        await listener.aclose()
        await speaker.aclose()


async def test_a_listener_by_sentinel_hears_the_master() -> None:
    with sentinel() as watched:
        listener = await Address.parse(watched.url).listener(timeout_s=2)
        async with listener.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe("news")
            assert await heard.get_message(timeout=0.1) is None
            assert watched.master.ask("PUBLISH", "news", b"late") == 1
            async with asyncio.timeout(5):
                while (said := await heard.get_message(timeout=1)) is None:
                    pass
            assert said["data"] == b"late"
        await listener.aclose()
