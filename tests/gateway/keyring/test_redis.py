"""Keys in Redis."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from gateway.errors import HearthError
from gateway.keyring.redis import RedisKeyring
from gateway.redis.address import Address
from tests.gateway.keyring.contract import FULL, Bench, KeyringContract
from tests.redis_server import redis_process


class TestRedisKeyring(KeyringContract):
    @pytest.fixture
    async def bench(self, redis_url: str) -> AsyncIterator[Bench]:
        prefix, address = f"test-{secrets.token_hex(4)}", Address.parse(redis_url)
        stores = [RedisKeyring(address, monotonic, prefix=prefix) for _ in range(2)]
        yield Bench(*stores)
        for store in stores:
            await store.close()


async def test_a_redis_that_is_away_is_told_and_one_that_is_back_has_the_keys() -> None:
    with redis_process() as server:
        keyring = RedisKeyring(Address.parse(server.url), monotonic)
        try:
            await keyring.add(FULL, "d")
            assert all(name.startswith(b"hearth:") for name in server.ask("KEYS", "*"))
            server.kill()
            for ask in (keyring.find("d"), keyring.configured(), keyring.revoke(FULL.id, 1.0), keyring.seal()):
                with pytest.raises(HearthError) as told:
                    await ask
                assert told.value.code == "state_unavailable"
            server.restart(keep_data=True)
            assert await keyring.find("d") == FULL
        finally:
            await keyring.close()
