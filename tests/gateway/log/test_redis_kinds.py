"""Logs live behind Sentinel, in a Cluster, and behind TLS and a user's password as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.gateway.log.contract import FINISHED, LogContract, a_generation, append, pieces, read
from tests.gateway.log.replicas import LEASE_S, die, orphan, orphans, replicas
from tests.gateway.log.test_redis import RedisBench
from tests.redis_cluster import cluster
from tests.redis_sentinel import sentinel
from tests.redis_tls import tls
from tests.waiting import until


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    with cluster() as made:
        yield made.url


class TestClusteredLogs(RedisBench, LogContract):
    @pytest.fixture
    def url(self, cluster_url: str) -> str:
        return cluster_url


async def test_a_cluster_has_every_log_whole_for_all_replicas(cluster_url: str) -> None:
    async with replicas(cluster_url, 3) as (here, *others):
        writers = [await here.create(a_generation()) for _ in range(30)]
        readings = [
            asyncio.create_task(read((await logs.open(writer.log.generation.id, "ann")).read(0), 20))
            for writer in writers
            for logs in others
        ]
        await asyncio.gather(*(append(writer, [*pieces(20), FINISHED]) for writer in writers))
        for events in await asyncio.gather(*readings):
            assert events == [*pieces(20), FINISHED]


async def test_orphans_in_a_cluster_are_taken_once(cluster_url: str) -> None:
    async with replicas(cluster_url, 3) as (dead, *others):
        writers = [await dead.create(a_generation()) for _ in range(10)]
        await die(dead)
        found = await asyncio.gather(*(orphans(logs, 10 * LEASE_S) for logs in others))
        assert sorted(writer.log.generation.id for each in found for writer in each) == sorted(
            writer.log.generation.id for writer in writers
        )


async def test_a_failover_loses_nothing_that_a_reader_had() -> None:
    with sentinel() as made:
        async with replicas(made.url, lease_s=5) as (here, elsewhere):
            writer = await here.create(a_generation())
            log = await elsewhere.open(writer.log.generation.id, "ann")
            reading = asyncio.create_task(read(log.read(0), 60))
            await append(writer, pieces(5))
            failing = asyncio.create_task(asyncio.to_thread(made.failover))
            at = 5
            while not failing.done():
                await writer.append(*pieces(1, at))
                at += 1
                await asyncio.wait([failing], timeout=0.02)
            await failing
            await append(writer, [*pieces(5, at), FINISHED])
            assert await reading == [*pieces(at + 5), FINISHED]
            await until(lambda: not writer.behind)
            async with replicas(made.url) as fresh:
                assert len(fresh) == 2


async def test_logs_travel_by_tls_with_a_user_and_a_password() -> None:
    async with tls() as made, replicas(made.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        log = await elsewhere.open(writer.log.generation.id, "ann")
        await append(writer, [*pieces(5), FINISHED])
        assert await read(log.read(0)) == [*pieces(5), FINISHED]
        other = await here.create(a_generation())
        await die(here)
        assert (await orphan(elsewhere)).log.generation.id == other.log.generation.id
