"""Clients by address, on real servers of every kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ConnectionError, TimeoutError

from gateway.redis.address import Address
from gateway.redis.link import Away, Link
from tests.redis_cluster import cluster
from tests.redis_sentinel import sentinel
from tests.redis_server import free_port, redis_process
from tests.redis_tls import tls


@asynccontextmanager
async def client(url: str, connections: int = 4, timeout_s: float = 5) -> AsyncIterator[Redis | RedisCluster]:
    """A client that is closed afterwards."""
    made = Address.parse(url).client(connections=connections, timeout_s=timeout_s)
    try:
        yield made
    finally:
        await made.aclose()


async def keep(redis: Redis | RedisCluster) -> bool:
    """Whether something that is set can be got."""
    key = f"test:{uuid4()}"
    assert await redis.execute_command("PING")
    assert await redis.set(key, b"\xff", ex=60)
    return bool(await redis.get(key) == b"\xff")


async def test_one_server_by_its_socket_and_by_its_port(redis_url: str) -> None:
    async with client(redis_url) as redis:
        assert await keep(redis)
    with redis_process() as server:
        async with client(f"{server.url}/3") as redis:
            assert await keep(redis)
            info = await redis.execute_command("CLIENT", "LIST")
            assert b"name=hearth" in info and b"db=3" in info


async def test_a_user_with_a_password_over_tls() -> None:
    async with tls() as guarded:
        async with client(guarded.url) as redis:
            assert await keep(redis)
            assert await redis.execute_command("ACL", "WHOAMI") == b"ember"
        listener = Address.parse(guarded.url).listener(timeout_s=5)
        assert await listener.ping()
        await listener.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async with tls() as guarded:
        async with client(guarded.url.partition("?")[0]) as redis:
            with pytest.raises(ConnectionError, match="certificate"):
                await redis.ping()
        async with client(guarded.url.partition("?")[0] + "?ssl_cert_reqs=none") as redis:
            assert await keep(redis)


async def test_sentinel_leads_to_the_master_also_after_a_failover() -> None:
    with sentinel() as watched:
        async with client(watched.url, timeout_s=2) as redis:
            assert await keep(redis)
            before = await redis.config_get("port")
            await asyncio.to_thread(watched.failover)
            assert await keep(redis)
            assert await redis.config_get("port") != before
            assert (await redis.execute_command("ROLE"))[0] == b"master"


async def test_cluster_keeps_everywhere_and_a_burst_waits_for_its_turn() -> None:
    with cluster() as found:
        async with client(found.url, connections=1) as redis:
            assert all(await asyncio.gather(*(keep(redis) for _ in range(100))))
            counts = [node.ask("DBSIZE") for node in found.nodes]
            assert sum(counts) == 100 and all(counts)
            assert await asyncio.gather(*(count(redis) for _ in range(50))) == [50] * 50


async def count(redis: Redis | RedisCluster) -> int:
    """How many keys one pipeline over all servers has made."""
    pipeline = redis.pipeline(transaction=False)
    for _ in range(50):
        pipeline.set(f"test:{uuid4()}", 1, ex=60)
    return len(await pipeline.execute())


async def test_a_burst_waits_for_a_free_connection(redis_url: str) -> None:
    async with client(redis_url, connections=2) as redis:
        assert all(await asyncio.gather(*(keep(redis) for _ in range(100))))
        assert isinstance(redis, Redis)
        assert redis.connection_pool.get_connection_count()[0][0] <= 2


async def test_a_silent_server_is_given_up_in_time_and_nothing_is_sent_twice() -> None:
    with redis_process() as server:
        async with client(server.url, timeout_s=0.2) as redis:
            await redis.set("count", 0)
            with server.frozen():
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    await redis.incr("count")
                assert time.monotonic() - began < 1
            # It was done after all, once; the client goes on without being told.
            assert await redis.get("count") == b"1"


async def test_a_server_that_comes_back_is_used_again() -> None:
    with redis_process() as server:
        async with client(server.url) as redis:
            await redis.set("kept", 1)
            await asyncio.to_thread(server.kill)
            with pytest.raises(ConnectionError):
                await redis.ping()
            await asyncio.to_thread(server.restart, keep_data=True)
            assert await redis.get("kept") == b"1"
            await asyncio.to_thread(server.restart, keep_data=False)
            assert await redis.get("kept") is None


async def test_a_listener_may_hear_nothing_for_longer_than_a_command_may_take() -> None:
    with redis_process() as server:
        address = Address.parse(server.url)
        listener = address.listener(timeout_s=0.2)
        assert isinstance(listener, Redis)
        async with client(server.url) as redis, listener.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe("news")
            assert await heard.get_message(timeout=0.1) is None
            with server.frozen():
                assert await heard.get_message(timeout=0.5) is None
            await redis.publish("news", b"late")
            assert (await message(heard))["data"] == b"late"
            assert server.kill_clients("pubsub") == 1
            with pytest.raises(ConnectionError):
                await message(heard)
        await listener.aclose()


async def message(heard: Any) -> Any:
    """The next message, within bounds."""
    async with asyncio.timeout(5):
        while (said := await heard.get_message(timeout=1)) is None:
            pass
        return said


async def test_a_cluster_of_which_no_node_answers_is_away() -> None:
    async with client(f"redis+cluster://127.0.0.1:{free_port()}") as redis:
        link = Link("trying", redis, time.monotonic, 5)
        with pytest.raises(Away, match="Cluster"):
            await link.run(redis.info("server"))
        assert not link.up
