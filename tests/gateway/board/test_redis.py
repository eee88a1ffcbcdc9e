"""The board in Redis keeps the contract, on one server and on a Cluster, and goes on after Redis was away."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from time import monotonic

import msgspec
import pytest
import redis

from engines.base import State
from engines.board import Away, Sighting
from gateway.board.redis import MOST_LETTERS, RedisBoard
from gateway.redis.address import Address
from tests.engines.board_contract import KEPT_S, LEASE_S, WHOLE, Bench, SharedBoardContract, sighting
from tests.redis_cluster import cluster
from tests.redis_server import RedisProcess, redis_process
from tests.turning import Turned
from tests.waiting import until


@asynccontextmanager
async def benched(url: str, shift: redis.Redis) -> AsyncIterator[Bench]:
    prefix, boards = f"test-{secrets.token_hex(4)}", list[RedisBoard]()

    def join(replica: str) -> RedisBoard:
        boards.append(RedisBoard(Address.parse(url), replica, monotonic, kept_s=KEPT_S, prefix=prefix))
        return boards[-1]

    def turn(seconds: float) -> None:
        """Let Redis' own time pass for the leases and for what was told."""
        for key in shift.scan_iter(f"{prefix}:*"):
            if key.endswith(b":board"):
                for replica, words in shift.hgetall(key).items():
                    assert isinstance(words, bytes)
                    shift.hset(key, replica, b"%013d" % (int(words[:13]) - round(seconds * 1000)) + words[13:])
            shift.pexpire(key, round(shift.pttl(key) - seconds * 1000))

    yield Bench(join, turn)
    for board in boards:
        await board.close()


class TestRedisBoard(SharedBoardContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        with redis.Redis.from_url(redis_url) as shift:
            async with benched(redis_url, shift) as bench:
                yield bench


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[str]:
    with cluster() as nodes:
        yield nodes.url


class TestRedisClusterBoard(SharedBoardContract):
    @pytest.fixture
    async def bench(self, three_nodes: str) -> AsyncIterator[Bench]:
        hosts = three_nodes.removeprefix("redis+cluster://").split(",")
        with redis.RedisCluster.from_url(f"redis://{hosts[0]}") as shift:
            async with benched(three_nodes, shift) as bench:
                yield bench


@pytest.fixture
async def server() -> AsyncIterator[RedisProcess]:
    # Else what it confirmed a moment before it is killed may not be on disk yet.
    with redis_process("--appendfsync", "always") as running:
        yield running


@pytest.fixture
async def join(server: RedisProcess) -> AsyncIterator[Callable[[str], RedisBoard]]:
    """Makes replicas' boards on a server to do harm to."""
    boards: list[RedisBoard] = []

    def made(replica: str, clock: Callable[[], float] = monotonic, kept_s: float = KEPT_S) -> RedisBoard:
        boards.append(RedisBoard(Address.parse(server.url), replica, clock, kept_s=kept_s))
        return boards[-1]

    yield made
    for board in boards:
        await board.close()


Join = Callable[..., RedisBoard]


async def test_nothing_on_the_board_outlives_its_time(server: RedisProcess, join: Join) -> None:
    here = join("a")
    await here.exchange({"demo/1": WHOLE})
    await here.lead("demo/1", "keep", LEASE_S)
    assert set(server.ask("KEYS", "*")) == {b"hearth:board", b"hearth:lead:keep:demo/1"}
    assert 0 < server.ask("PTTL", "hearth:board") <= KEPT_S * 1000
    assert 0 < server.ask("PTTL", "hearth:lead:keep:demo/1") <= LEASE_S * 1000


async def test_a_lease_and_what_was_told_end_by_themselves(server: RedisProcess, join: Join) -> None:
    here, there = join("a", kept_s=0.1), join("b")
    await here.exchange({"demo/1": WHOLE})
    assert await here.lead("demo/1", "keep", 0.1)
    async with asyncio.timeout(10):
        while await there.exchange({}) or not await there.lead("demo/1", "keep", LEASE_S):
            pass
    assert not await here.lead("demo/1", "keep", 0.1)
    assert server.ask("HKEYS", "hearth:board") == [b"b"]


async def test_terms_that_pass_quickly_from_hand_to_hand_never_overlap(join: Join) -> None:
    term_s, terms = 0.02, list[tuple[float, float, str]]()

    async def rival(board: RedisBoard) -> None:
        while len(terms) < 60:
            asked = monotonic()
            if not await board.lead("demo/1", "keep", term_s):
                continue
            if len(terms) % 3:
                terms.append((monotonic(), asked + term_s, board.replica))
                # Nothing is heard of it until another one leads.
                await until(lambda: terms[-1][2] != board.replica or len(terms) >= 60)
            else:
                terms.append((monotonic(), monotonic(), board.replica))
                await board.resign("demo/1", "keep")

    async with asyncio.timeout(60):
        await asyncio.gather(*(rival(join(name)) for name in "abcd"))
    terms.sort()
    assert len({name for *_, name in terms}) > 1
    assert all(before[1] <= after[0] for before, after in pairwise(terms))


async def test_an_exchange_is_one_command(server: RedisProcess, join: Join) -> None:
    here = join("a")
    await here.exchange({"demo/1": WHOLE})

    def asked() -> int:
        lines = server.ask("INFO", "commandstats").items()
        return sum(int(told["calls"]) for name, told in lines if name.startswith(("cmdstat_eval", "cmdstat_evalsha")))

    before = asked()
    await here.exchange({"demo/1": WHOLE})
    assert asked() == before + 1


async def test_an_answer_that_comes_after_the_leases_time_makes_no_leader(server: RedisProcess, join: Join) -> None:
    clock = Turned()
    here = join("a", clock)
    await here.exchange({})
    with server.frozen():
        asked = asyncio.create_task(here.lead("demo/1", "keep", LEASE_S))
        await asyncio.sleep(0)
        clock.turn(LEASE_S)
    assert not await asked
    assert await here.lead("demo/1", "keep", LEASE_S)


async def test_an_absent_redis_is_said_in_the_boards_own_words_and_a_returned_one_serves_again(
    server: RedisProcess, join: Join
) -> None:
    here, there = join("a"), join("b")
    assert await here.lead("demo/1", "keep", LEASE_S)
    server.kill()
    for ask in (here.exchange({"demo/1": WHOLE}), here.lead("demo/1", "keep", LEASE_S), here.resign("demo/1", "keep")):
        with pytest.raises(Away, match="Redis: "):
            await ask
    server.restart(keep_data=True)
    assert not await there.lead("demo/1", "keep", LEASE_S)
    assert await here.lead("demo/1", "keep", LEASE_S)
    await here.exchange({"demo/1": WHOLE})
    assert await there.exchange({}) == {"demo/1": {"a": WHOLE}}


async def test_a_redis_that_lost_its_memory_has_one_leader_again(server: RedisProcess, join: Join) -> None:
    here, there = join("a"), join("b")
    assert await here.lead("demo/1", "keep", LEASE_S)
    server.restart(keep_data=False)
    assert await there.lead("demo/1", "keep", LEASE_S)
    assert not await here.lead("demo/1", "keep", LEASE_S)


async def test_who_goes_while_redis_is_away_goes_in_peace(server: RedisProcess, join: Join) -> None:
    here = join("a")
    await here.exchange({"demo/1": WHOLE})
    assert await here.lead("demo/1", "keep", LEASE_S)
    server.kill()
    await here.close()


async def test_a_lease_whose_answer_was_lost_is_given_up_at_the_end(server: RedisProcess, join: Join) -> None:
    here, there = join("a"), join("b")
    with server.frozen(), pytest.raises(Away):
        await here.lead("demo/1", "keep", LEASE_S)
    await here.close()
    assert await there.lead("demo/1", "keep", LEASE_S)


async def test_a_newer_replica_may_tell_more(server: RedisProcess, join: Join) -> None:
    class Newer(Sighting, frozen=True, kw_only=True):
        mood: str

    newer = Newer(**msgspec.structs.asdict(WHOLE), mood="cheerful")
    here, there = join("a"), join("b")
    await here.exchange({"demo/1": newer})
    assert b"cheerful" in server.ask("HGET", "hearth:board", "a")
    assert await there.exchange({}) == {"demo/1": {"a": WHOLE}}


async def test_what_cannot_be_read_is_left_out_and_told_once(
    server: RedisProcess, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = join("a"), join("b")
    await here.exchange({"demo/1": WHOLE})
    ends = int(server.ask("HGET", "hearth:board", "a")[:13]) + 60_000
    odd = msgspec.msgpack.encode({"demo/1": {"model": "demo", "state": "dreaming", "stage": "", "since": 1.0}})
    for replica, words in (
        ("state", odd),
        ("list", msgspec.msgpack.encode([1])),
        ("bytes", b"\x81\xa1\xff\x80"),
        ("none", b""),
    ):
        server.ask("HSET", "hearth:board", replica, b"%013d" % ends + words)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await there.exchange({"demo/2": sighting()}) == {"demo/1": {"a": WHOLE}, "demo/2": {"b": sighting()}}
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4 and any("dreaming" in line for line in told)
    await join("list").exchange({"demo/3": WHOLE})
    assert set(await there.exchange({})) == {"demo/1", "demo/3"}


async def test_others_are_not_told_words_without_end(server: RedisProcess, join: Join) -> None:
    here, there = join("a"), join("b")
    chatty = Sighting(model="demo", state=State.BROKEN, stage="x" * 100_000, since=1.0, alarm="y" * 100_000)
    assert await here.exchange({"demo/1": chatty}) == {"demo/1": {"a": chatty}}
    assert server.ask("HSTRLEN", "hearth:board", "a") < 3 * MOST_LETTERS
    [seen] = (await there.exchange({}))["demo/1"].values()
    assert seen.stage == "x" * MOST_LETTERS and seen.alarm == "y" * MOST_LETTERS
