"""Redis fails in every way it can, and no reader loses, doubles or waits for ever for anything."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest

from gateway.errors import HearthError
from gateway.events import Canceled, Delta, Timings, Usage
from gateway.log.base import Fenced, Position, check
from gateway.log.redis import RedisLogs
from gateway.redis.address import Address
from tests.gateway.log.contract import FINISHED, a_generation, append, pieces, read, take
from tests.gateway.log.replicas import LEASE_S, die, events_of, orphan, orphans, replicas, sweeping
from tests.redis_server import RedisProcess, redis_process
from tests.turning import Turned
from tests.waiting import until


@pytest.fixture
def server() -> Iterator[RedisProcess]:
    with redis_process("--appendfsync", "always") as server:
        yield server


async def whole(logs: RedisLogs) -> None:
    """Wait until Redis is back for this replica."""
    async with asyncio.timeout(10):
        while logs.trouble is not None:
            await logs.sweep()
            await asyncio.sleep(0)


async def test_a_killed_channel_loses_nothing(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        log = await elsewhere.open(writer.log.generation.id, "ann")
        reading = asyncio.create_task(read(log.read(0), 20))
        killed = 0
        for index in range(200):
            await writer.append(*pieces(1, index))
            if index % 50 == 25:
                killed += await asyncio.to_thread(server.kill_clients, "pubsub")
        assert killed >= 2
        await writer.append(FINISHED)
        assert await reading == [*pieces(200), FINISHED]


async def test_a_message_that_was_never_heard_is_read_from_the_stream(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        log = await elsewhere.open(writer.log.generation.id, "ann")
        hear = elsewhere._mirrors.heard
        elsewhere._mirrors.heard = lambda channel, data: None  # type: ignore[method-assign]
        await append(writer, pieces(3))
        elsewhere._mirrors.heard = hear  # type: ignore[method-assign]
        await append(writer, [*pieces(2, 3), FINISHED])
        assert await read(log.read(0)) == [*pieces(5), FINISHED]


async def test_who_leaves_before_a_log_stands_in_redis_leaves_nothing_running(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        generation = a_generation()
        with server.frozen():
            creating = asyncio.create_task(here.create(generation, *pieces(1)))
            await until(lambda: generation.id in here._running)
            await asyncio.sleep(0)
            creating.cancel()
            await asyncio.wait([creating])
        assert creating.cancelled()
        await whole(here)
        await until(lambda: not here._running)
        log = await elsewhere.open(generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(1), Canceled("abandoned", Usage(), Timings())]


async def test_streams_go_on_while_redis_stands_still_and_are_whole_for_all_afterwards(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        id = writer.log.generation.id
        await append(writer, pieces(3))
        before = Position(writer.log.epoch, 2)
        far = asyncio.create_task(read((await elsewhere.open(id, "ann")).read(0), 20))
        near = writer.log.read(0)
        with server.frozen():
            await append(writer, pieces(100, 3))
            assert near.take() == pieces(103)
            assert here.trouble is not None
        alone = Position(writer.log.epoch, 50)
        assert alone.epoch != before.epoch
        await append(writer, [*pieces(2, 103), FINISHED])
        assert await far == [*pieces(105), FINISHED]
        await whole(here)
        log = await elsewhere.open(id, "ann", alone)
        # Who read before, and who read meanwhile, both go on anywhere.
        assert [check(log, before), check(log, alone)] == [3, 51]
        # The one append that was under way may have come through, the others did not.
        with pytest.raises(HearthError, match="epoch_mismatch"):
            check(log, Position(before.epoch, 4))


async def test_what_begins_while_redis_is_away_is_there_for_all_afterwards(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        await asyncio.to_thread(server.kill)
        writer = await here.create(a_generation())
        await append(writer, pieces(5))
        assert (await here.open(writer.log.generation.id, "ann")).tail == 4
        with pytest.raises(HearthError, match="log_unavailable"):
            await elsewhere.open(writer.log.generation.id, "ann")
        await asyncio.to_thread(server.start)
        await append(writer, [*pieces(5, 5), FINISHED])
        await whole(here)
        await until(lambda: not writer.behind)
        log = await elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(10), FINISHED]


async def test_what_begins_while_redis_is_slow_is_there_for_all_when_it_is_told_of(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        server.pause(0.6)
        writer = await here.create(a_generation())
        assert (await elsewhere.open(writer.log.generation.id, "ann")).tail == -1


async def test_what_begins_while_redis_is_away_is_not_called_unknown_until_its_writer_had_the_time_to_tell(
    server: RedisProcess,
) -> None:
    async with replicas(server.url) as (here, elsewhere):
        await asyncio.to_thread(server.kill)
        here._scribe.carry = lambda writer: None  # type: ignore[method-assign]
        here._writes.reason, here._writes.since = "it is gone", -math.inf
        writer = await here.create(a_generation())
        await asyncio.to_thread(server.start)
        with pytest.raises(HearthError, match="log_unavailable"):
            await elsewhere.open(writer.log.generation.id, "ann")
        await whole(elsewhere)
        with pytest.raises(HearthError, match="log_unavailable"):
            await elsewhere.open(writer.log.generation.id, "ann")
        await until(lambda: not elsewhere._shaken)
        with pytest.raises(HearthError, match="unknown_generation"):
            await elsewhere.open(writer.log.generation.id, "ann")


@pytest.mark.parametrize("keep_data", [True, False], ids=["with its data", "without its data"])
async def test_a_restart_is_survived(server: RedisProcess, keep_data: bool) -> None:
    async with replicas(server.url, lease_s=5) as (here, elsewhere):
        writer = await here.create(a_generation())
        id = writer.log.generation.id
        await append(writer, pieces(5))
        seen = Position(writer.log.epoch, 4)
        log = await elsewhere.open(id, "ann")
        reading = asyncio.create_task(read(log.read(0), 20))
        await asyncio.to_thread(server.restart, keep_data)
        await append(writer, [*pieces(5, 5), FINISHED])
        assert await reading == [*pieces(10), FINISHED]
        await whole(here)
        await whole(elsewhere)
        async with replicas(server.url) as others:
            assert len(others) == 2
        again = await elsewhere.open(id, "ann", seen)
        assert check(again, seen) == 5


@pytest.mark.parametrize("key", ["meta", "log", "gen"])
async def test_an_evicted_key_is_given_back(server: RedisProcess, key: str) -> None:
    async with replicas(server.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        id = writer.log.generation.id
        await append(writer, pieces(5))
        [name] = [name for name in server.ask("KEYS", "*") if name.endswith(f":{key}".encode())]
        assert server.ask("DEL", name) == 1
        await append(writer, [*pieces(5, 5), FINISHED])
        assert await read((await elsewhere.open(id, "ann")).read(0)) == [*pieces(10), FINISHED]


async def test_an_evicted_silent_log_is_given_back_with_the_next_renewal(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, elsewhere):
        writer = await here.create(a_generation())
        await append(writer, pieces(5))
        server.ask("FLUSHALL")
        await until(lambda: len(server.ask("KEYS", "*:log")) == 1)
        log = await elsewhere.open(writer.log.generation.id, "ann")
        assert await take(log.read(0), 5) == pieces(5)


async def test_a_full_memory_stops_nobody(server: RedisProcess) -> None:
    async with replicas(server.url, lease_s=5) as (here, elsewhere):
        writer = await here.create(a_generation())
        server.config("maxmemory", "1")
        await append(writer, pieces(20))
        assert "memory is full" in (here.trouble or "")
        assert writer.log.tail == 19
        server.config("maxmemory", "0")
        await append(writer, [FINISHED])
        await whole(here)
        await until(lambda: not writer.behind)
        log = await elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(20), FINISHED]


async def test_readers_of_another_replicas_log_are_sent_away_when_redis_stays_away(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        await append(writer, pieces(3))
        reader = (await other.open(writer.log.generation.id, "ann")).read(0)
        assert await take(reader, 3) == pieces(3)
        await asyncio.to_thread(server.kill)
        watch = asyncio.create_task(sweeping(other))
        assert await reader.wait(10)
        assert (reader.pending, reader.log.lost) == (False, "log_unavailable")
        await asyncio.to_thread(server.start)
        await whole(other)
        watch.cancel()
        await append(writer, [FINISHED])
        await until(lambda: not writer.behind)
        assert await read((await other.open(writer.log.generation.id, "ann")).read(0)) == [*pieces(3), FINISHED]


# Writers that die


async def test_of_many_replicas_one_goes_on_with_the_log_of_a_dead_one(server: RedisProcess) -> None:
    async with replicas(server.url, 5) as (dead, *others):
        writers = [await dead.create(a_generation()) for _ in range(20)]
        for writer in writers:
            await append(writer, pieces(3))
        readers = [(await others[0].open(writer.log.generation.id, "ann")).read(0) for writer in writers]
        await die(dead)
        found = await asyncio.gather(*(orphans(logs, 4 * LEASE_S) for logs in others))
        taken = [writer for each in found for writer in each]
        assert len(taken) == 20
        assert {writer.log.generation.id for writer in taken} == {writer.log.generation.id for writer in writers}
        for writer in taken:
            assert events_of(writer) == pieces(3)
            await append(writer, [*pieces(2, 3), FINISHED])
        for reader in readers:
            assert await read(reader) == [*pieces(5), FINISHED]


async def test_an_orphan_that_no_index_knows_is_found_by_who_reads_it(server: RedisProcess) -> None:
    async with replicas(server.url) as (dead, other):
        writer = await dead.create(a_generation())
        await append(writer, pieces(3))
        reader = (await other.open(writer.log.generation.id, "ann")).read(0)
        await die(dead)
        [index] = server.ask("KEYS", "*:running")
        server.ask("DEL", index)
        watch = asyncio.create_task(sweeping(other))
        second = await orphan(other)
        watch.cancel()
        await append(second, [*pieces(2, 3), FINISHED])
        assert await read(reader) == [*pieces(5), FINISHED]


async def test_a_frozen_replica_that_wakes_cannot_append_one_record(server: RedisProcess) -> None:
    async with replicas(server.url) as (frozen, other):
        first = await frozen.create(a_generation())
        await append(first, pieces(3))
        seen = first.log.read(0)
        await die(frozen)
        second = await orphan(other)
        assert second.log.epoch == first.log.epoch
        # Awake again: its tasks go on, and it knows of nothing.
        frozen._spawn(frozen._scribe.run())
        await until(lambda: not frozen._scribe.away)
        for late in (pieces(1, 90), pieces(1, 91), [FINISHED]):
            with pytest.raises(Fenced):
                await first.append(*late)
        await append(second, [*pieces(2, 3), FINISHED])
        log = await other.open(first.log.generation.id, "ann")
        assert list(log.between(0, log.tail + 1)) == [*pieces(5), FINISHED]
        # Its own readers go on with what the other one writes.
        assert await read(seen) == [*pieces(5), FINISHED]


async def test_a_frozen_replica_that_wakes_knows_what_was_read_elsewhere(server: RedisProcess) -> None:
    async with replicas(server.url) as (frozen, other):
        first = await frozen.create(a_generation())
        await append(first, pieces(3))
        await die(frozen)
        second = await orphan(other)
        await append(second, pieces(2, 3))
        seen = Position(second.log.epoch, 4)
        # Awake again, and asked for a position that it has not come to.
        frozen._spawn(frozen._scribe.run())
        log = await frozen.open(first.log.generation.id, "ann", seen)
        assert check(log, seen) == 5


async def test_a_replica_that_stood_still_itself_shows_nothing_that_redis_has_not_confirmed(
    server: RedisProcess,
) -> None:
    clock = Turned()
    logs = RedisLogs(Address.parse(server.url), clock)
    await logs.start()
    writer = await logs.create(a_generation(), *pieces(3))
    epoch = writer.log.epoch
    with server.frozen():
        appending = asyncio.create_task(writer.append(*pieces(1, 3)))
        await asyncio.wait([appending], timeout=0.05)
        clock.turn(60)
        await asyncio.wait([appending], timeout=logs._writes.deadline_s + 0.3)
        assert (appending.done(), writer.log.tail) == (False, 2)
    await appending
    assert (writer.log.tail, writer.log.epoch) == (3, epoch)
    await logs.close()


async def test_an_orphan_whose_model_nobody_serves_goes_to_anybody_after_another_lease(server: RedisProcess) -> None:
    async with replicas(server.url) as (dead, other):
        writer = await dead.create(a_generation())
        await die(dead)
        async with asyncio.timeout(20):
            while not (taken := await other.orphans({"another"})):
                pass
        assert taken[0].log.generation.id == writer.log.generation.id


async def test_who_writes_nothing_finds_out_too_that_redis_is_back(server: RedisProcess) -> None:
    async with replicas(server.url) as (writing, idle):
        writer = await writing.create(a_generation())
        server.ask("CLIENT", "PAUSE", 2500, "WRITE")
        with pytest.raises(HearthError, match="log_unavailable"):
            await idle.take(writer.log.generation.id)
        assert idle.trouble is not None
        await whole(idle)
        await die(writing)
        assert (await orphan(idle, 20)).log.generation.id == writer.log.generation.id


async def test_a_silent_writer_that_lives_keeps_its_log(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        assert await orphans(other, 4 * LEASE_S) == []
        await append(writer, [*pieces(1), FINISHED])


async def test_nobody_is_robbed_because_redis_stood_still(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        with server.frozen():
            await append(writer, pieces(3))
            assert await orphans(other, 3 * LEASE_S) == []
        stealing = asyncio.create_task(orphans(other, 4 * LEASE_S))
        await append(writer, pieces(2, 3))
        assert await stealing == []
        await append(writer, [FINISHED])


async def test_nobody_is_robbed_after_an_outage_that_a_replica_has_only_seen_by_reading(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        await append(writer, pieces(1))
        server.kill()
        await append(writer, pieces(2, 1))
        assert await orphans(other, 2 * LEASE_S) == []
        server.start()
        assert await orphans(other, LEASE_S / 2) == []
        await whole(here)
        await append(writer, [*pieces(2, 3), FINISHED])


async def test_what_is_let_go_of_is_taken_at_once_and_its_readers_here_go_on(server: RedisProcess) -> None:
    async with replicas(server.url, lease_s=60) as (here, other):
        writer = await here.create(a_generation())
        await append(writer, pieces(3))
        near = writer.log.read(0)
        taking = asyncio.create_task(orphan(other))
        await here.let_go(writer)
        second = await taking
        with pytest.raises(Fenced):
            await writer.append(*pieces(1, 9))
        await append(second, [*pieces(2, 3), FINISHED])
        assert await read(near) == [*pieces(5), FINISHED]


async def test_a_model_that_is_not_served_here_is_left_to_others(server: RedisProcess) -> None:
    async with replicas(server.url) as (dead, other):
        await dead.create(a_generation())
        await die(dead)
        async with asyncio.timeout(10):
            for _ in range(3):
                assert await other.orphans({"another"}) == []
        assert (await orphan(other)).log.tail == -1


async def test_a_redis_that_forgot_what_was_read_says_so_by_a_new_epoch(server: RedisProcess) -> None:
    async with replicas(server.url, 3) as (dead, other, third):
        writer = await dead.create(a_generation())
        id = writer.log.generation.id
        await append(writer, pieces(3))
        saved = {key: (server.ask("DUMP", key)) for key in server.ask("KEYS", "*")}
        await append(writer, pieces(2, 3))
        old = writer.log.epoch
        await die(dead)
        # Back from a copy that lacks the last events, as after a failover.
        await asyncio.to_thread(server.restart, False)
        for key, value in saved.items():
            server.ask("RESTORE", key, 0, value)
        second = await orphan(other)
        assert second.log.epoch != old
        await append(second, [*pieces(2, 70), FINISHED])
        log = await third.open(id, "ann")
        assert check(log, Position(old, 2)) == 3
        for lost in (3, 4):
            with pytest.raises(HearthError, match="epoch_mismatch"):
                check(log, Position(old, lost))


async def test_a_reader_of_a_lost_log_whose_writer_is_dead_gives_it_back(server: RedisProcess) -> None:
    async with replicas(server.url) as (dead, other):
        writer = await dead.create(a_generation())
        id = writer.log.generation.id
        await append(writer, pieces(3))
        log = await other.open(id, "ann")
        reader = log.read(0)
        assert await take(reader, 3) == pieces(3)
        await die(dead)
        server.ask("FLUSHALL")
        watch = asyncio.create_task(sweeping(other))
        second = await orphan(other, 30)
        watch.cancel()
        assert events_of(second) == pieces(3)
        await append(second, [*pieces(2, 3), FINISHED])
        assert await read(reader) == [*pieces(2, 3), FINISHED]
        assert check(second.log, Position(writer.log.epoch, 2)) == 3


async def test_a_remote_log_is_written_once_however_early_its_own_message_is_heard(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        generation = a_generation()
        generation.remote = True
        writer = await here.create(generation, *pieces(1))
        confirm = writer.confirm

        def late(tail: int, listeners: int) -> None:
            # As if the channel had been quicker than the answer.
            here._mirrors.heard(
                here._keys.channel(generation.id), server.ask("XREVRANGE", *_newest(server))[0][1][b"m"]
            )
            confirm(tail, listeners)

        writer.confirm = late  # type: ignore[method-assign]
        for event in pieces(20, 1):
            await writer.append(event)
        log = await other.open(generation.id, "ann")
        assert list(log.between(0, log.tail + 1)) == list(writer.log.between(0, writer.log.tail + 1)) == pieces(21)


def _newest(server: RedisProcess) -> tuple[bytes, str, str, str, int]:
    [stream] = server.ask("KEYS", "*:log")
    return stream, "+", "-", "COUNT", 1


async def test_a_remote_log_is_kept_though_nobody_renews_it(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, _):
        generation = a_generation()
        generation.remote = True
        writer = await here.create(generation)
        await writer.append(*pieces(1))
        keys = server.ask("KEYS", "*}:*")
        assert len(keys) == 3
        assert all(server.ask("TTL", key) > 300 * 86_400 for key in keys)


async def test_every_key_of_a_running_log_ends_some_day(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, _):
        writer = await here.create(a_generation())
        await writer.append(*pieces(1))
        assert all(0 < server.ask("TTL", key) <= 86_400 for key in server.ask("KEYS", "*}:*"))


async def test_one_look_at_a_log_makes_nobody_a_reader(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation(), *pieces(3))
        seen = await other.look(writer.log.generation.id, "ann")
        assert list(seen.between(0, 3)) == pieces(3)
        assert await here.followed(writer) is False
        with pytest.raises(HearthError, match="unknown_generation"):
            await other.look(writer.log.generation.id, "bob")


# Words between replicas


async def test_a_cancel_reaches_the_writer_wherever_it_is(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        heard = asyncio.Event()
        writer.on_cancel = heard.set
        await other.cancel(writer.log.generation.id)
        await asyncio.wait_for(heard.wait(), 5)


async def test_a_cancel_that_was_not_heard_is_told_by_the_next_append(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        heard = asyncio.Event()
        here._running.clear()  # Deaf to the channel.
        await other.cancel(writer.log.generation.id)
        writer.on_cancel = heard.set
        await writer.append(*pieces(1))
        assert heard.is_set()


async def test_a_cancel_of_an_orphan_is_known_to_who_takes_it(server: RedisProcess) -> None:
    async with replicas(server.url) as (dead, other):
        writer = await dead.create(a_generation())
        await die(dead)
        await other.cancel(writer.log.generation.id)
        assert (await orphan(other)).cancelled


async def test_readers_elsewhere_are_known_to_the_writer(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        assert await here.followed(writer) is False
        await other.open(writer.log.generation.id, "ann")
        assert await here.followed(writer) is True
        with server.frozen():
            here._reads.deadline_s = 0.1
            assert await here.followed(writer) is None


async def test_a_position_that_was_seen_elsewhere_is_waited_for(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        log = await other.open(writer.log.generation.id, "ann")
        other._mirrors.heard = lambda channel, data: None  # type: ignore[method-assign]
        await append(writer, pieces(5))
        assert log.tail == -1
        again = await other.open(writer.log.generation.id, "ann", Position(log.epoch, 4))
        assert check(again, Position(log.epoch, 4)) == 5


async def test_a_thousand_who_come_at_once_read_redis_once(server: RedisProcess) -> None:
    async with replicas(server.url) as (here, other):
        writer = await here.create(a_generation())
        await append(writer, [*(Delta(0, "x" * 100) for _ in range(100)), FINISHED])
        server.ask("CONFIG", "RESETSTAT")
        logs = await asyncio.gather(*(other.open(writer.log.generation.id, "ann") for _ in range(1000)))
        assert len({id(log) for log in logs}) == 1
        reads = server.ask("INFO", "commandstats")
        assert reads["cmdstat_xrange"]["calls"] == 1
