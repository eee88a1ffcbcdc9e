"""What every store of keys must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from gateway.keyring.base import Keyring
from gateway.keys import Budget, Key

FULL = Key(
    id="key_full",
    name="the whole of it",
    namespace="shop",
    hint="wxyz",
    created=1_000.5,
    expires=2_000.25,
    admin=True,
    models=("demo", "qwen-*"),
    requests_per_minute=3,
    tokens_per_minute=4,
    concurrent=5,
    budget=Budget(amount=1.5, period="week"),
    cache="off",
)


class Bench(NamedTuple):
    """One store, seen from two processes."""

    here: Keyring
    elsewhere: Keyring


def key(id: str, created: float = 1_000.0) -> Key:
    return Key(id=id, name=id, namespace=id, created=created)


class KeyringContract:
    async def test_an_empty_store_knows_nobody_and_is_not_configured(self, bench: Bench) -> None:
        assert await bench.here.find("d") is None
        assert await bench.here.get("key_a") is None
        assert await bench.here.revoke("key_a", 1.0) is None
        assert await bench.here.all() == []
        assert not await bench.here.configured()

    async def test_a_key_is_found_whole_from_anywhere_by_its_digest_and_its_id(self, bench: Bench) -> None:
        await bench.here.add(FULL, "d")
        for store in bench:
            assert await store.find("d") == FULL
            assert await store.get(FULL.id) == FULL
            assert await store.configured()

    async def test_neither_an_id_nor_another_digest_finds_a_key_as_a_secret(self, bench: Bench) -> None:
        await bench.here.add(FULL, "d")
        for digest in ("e", FULL.id, ""):
            assert await bench.elsewhere.find(digest) is None
        assert await bench.elsewhere.get("d") is None

    async def test_all_keys_are_listed_the_oldest_first(self, bench: Bench) -> None:
        for index, id in enumerate(("key_c", "key_a", "key_b")):
            await bench.here.add(key(id, 1_000.0 + index), id)
        assert [each.id for each in await bench.elsewhere.all()] == ["key_c", "key_a", "key_b"]

    async def test_a_revoked_key_is_still_there_and_says_since_when(self, bench: Bench) -> None:
        await bench.here.add(FULL, "d")
        revoked = await bench.elsewhere.revoke(FULL.id, 1_500.5)
        assert revoked is not None and revoked.revoked == 1_500.5
        assert await bench.here.find("d") == await bench.here.get(FULL.id) == revoked
        assert await bench.here.all() == [revoked]
        assert await bench.here.configured()

    async def test_of_all_who_revoke_a_key_the_first_is_right(self, bench: Bench) -> None:
        await bench.here.add(FULL, "d")
        await bench.here.revoke(FULL.id, 1.0)
        told = await asyncio.gather(*(store.revoke(FULL.id, 2.0) for store in bench for _ in range(5)))
        assert {each.revoked for each in told if each is not None} == {1.0}

    async def test_keys_added_at_once_are_all_kept(self, bench: Bench) -> None:
        stores = [bench.here, bench.elsewhere] * 10
        await asyncio.gather(*(store.add(key(f"key_{n}"), f"d{n}") for n, store in enumerate(stores)))
        assert {each.id for each in await bench.here.all()} == {f"key_{n}" for n in range(20)}

    async def test_the_seal_is_one_for_all_and_long(self, bench: Bench) -> None:
        seals = await asyncio.gather(*(store.seal() for store in bench for _ in range(5)))
        assert len(set(seals)) == 1 and len(seals[0]) == 32
