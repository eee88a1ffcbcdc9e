"""Claims in Redis keep the contract, and outlive its absence."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from time import monotonic

import pytest
import redis

from gateway.claims.base import Claim
from gateway.claims.redis import RedisClaims
from gateway.redis.address import Address
from tests.gateway.claims.contract import KEEP_S, Bench, ClaimsContract
from tests.redis_server import RedisProcess, redis_process
from tests.turning import Turned


def shift(url: str, prefix: str, seconds: float) -> None:
    """Let Redis' own time pass for every key of one bench."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            client.pexpire(key, round(client.pttl(key) - seconds * 1000))


class TestRedisClaims(ClaimsContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        clock, prefix, address = Turned(), f"test-{secrets.token_hex(4)}", Address.parse(redis_url)
        here, elsewhere = [RedisClaims(address, clock, KEEP_S, prefix=prefix) for _ in range(2)]

        def turn(seconds: float) -> None:
            clock.turn(seconds)
            shift(redis_url, prefix, seconds)

        yield Bench(here, elsewhere, turn)
        for claims in (here, elsewhere):
            await claims.close()


@pytest.fixture
async def server() -> AsyncIterator[RedisProcess]:
    with redis_process() as running:
        yield running


@pytest.fixture
async def two(server: RedisProcess) -> AsyncIterator[tuple[RedisClaims, RedisClaims, Turned]]:
    """Two replicas' claims on a server to do harm to, and their clock."""
    clock = Turned()
    here, elsewhere = [RedisClaims(Address.parse(server.url), clock, KEEP_S) for _ in range(2)]
    yield here, elsewhere, clock
    for claims in (here, elsewhere):
        await claims.close()


Two = tuple[RedisClaims, RedisClaims, Turned]


async def test_a_key_is_in_redis_by_its_name_alone_and_for_its_time(server: RedisProcess, two: Two) -> None:
    await two[0].claim("k", Claim("gen_a", "d"))
    [key] = server.ask("KEYS", "*")
    assert key == b"hearth:claim:k"
    assert 0 < server.ask("PTTL", key) <= KEEP_S * 1000


async def test_without_redis_a_replica_keeps_its_own_claims(server: RedisProcess, two: Two) -> None:
    here, elsewhere, _ = two
    assert await here.claim("before", Claim("gen_a", "d")) is None
    server.kill()
    for key, generation in (("before", "gen_a"), ("meanwhile", "gen_b")):
        await here.claim(key, Claim(generation, "d"))
        held = await here.claim(key, Claim("gen_c", "d"))
        assert held is not None and held.generation == generation
        assert (await here.peek(key)) == held
    assert await here.release("meanwhile", "gen_b")
    assert await here.claim("meanwhile", Claim("gen_d", "d")) is None
    assert await elsewhere.claim("before", Claim("gen_e", "d")) is None


async def test_redis_is_given_what_it_missed_and_what_it_lost(server: RedisProcess, two: Two) -> None:
    here, elsewhere, clock = two
    await here.claim("lost", Claim("gen_a", "d"))
    server.kill()
    await here.claim("missed", Claim("gen_b", "d"))
    clock.turn(60)
    server.restart(keep_data=False)
    for key, generation in (("lost", "gen_a"), ("missed", "gen_b")):
        held = await here.claim(key, Claim("gen_c", "d"))
        assert held is not None and held[:2] == (generation, "d") and held.age_s == pytest.approx(60, abs=5)
        held = await elsewhere.claim(key, Claim("gen_d", "d"))
        assert held is not None and held[:2] == (generation, "d") and held.age_s == pytest.approx(60, abs=5)
        assert server.ask("PTTL", f"hearth:claim:{key}") <= (KEEP_S - 60) * 1000
        held = await elsewhere.peek(key)
        assert held is not None and held.age_s == pytest.approx(60, abs=5)


async def test_what_redis_says_wins_over_what_was_claimed_while_it_was_away(server: RedisProcess, two: Two) -> None:
    here, elsewhere, _ = two
    server.kill()
    await here.claim("k", Claim("gen_a", "d"))
    server.restart(keep_data=True)
    assert await elsewhere.claim("k", Claim("gen_b", "d")) is None
    for _ in range(2):
        held = await here.claim("k", Claim("gen_c", "d"))
        assert held is not None and held.generation == "gen_b"
    assert here._here.get("k") is None


async def test_a_redis_that_stands_still_keeps_nobody_waiting_for_long(server: RedisProcess, two: Two) -> None:
    with server.frozen():
        assert await two[0].claim("k", Claim("gen_a", "d")) is None
    held = await two[0].claim("k", Claim("gen_b", "d"))
    assert held is not None and held.generation == "gen_a"


async def test_claims_are_put_back_when_redis_comes_back_empty() -> None:
    with redis_process() as server:
        run = "one"
        here, other = [RedisClaims(Address.parse(server.url), monotonic, 60, run=lambda: run) for _ in range(2)]
        try:
            await here.sweep()
            claims = [Claim(f"gen_{index}", "digest") for index in range(50)]
            for index, claim in enumerate(claims):
                assert await here.claim(f"name{index}", claim) is None
            server.ask("FLUSHALL")
            run = "two"
            await here.sweep()
            for index, claim in enumerate(claims):
                standing = await other.claim(f"name{index}", Claim("gen_new", "digest"))
                assert standing is not None
                assert standing.generation == claim.generation
        finally:
            await here.close()
            await other.close()
