"""Whose secret this is, as each call asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import HearthError
from gateway.keyring import lookup, secret
from gateway.keyring.lookup import ADMIN, FRESH_S, TRUST_S, Lookup
from gateway.keys import Key
from tests.turning import Turned

SECRET = secret.fresh()
KEY = Key(id="key_a", name="a", namespace="a")


class FakeKeyring:
    """A store in memory that counts what it is asked, and can be away."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.asked: list[str] = []
        self.away = False

    async def find(self, digest: str) -> Key | None:
        await self._answer(digest)
        return self.keys.get(digest)

    async def get(self, id: str) -> Key | None:
        await self._answer(id)
        return next((key for key in self.keys.values() if key.id == id), None)

    async def configured(self) -> bool:
        await self._answer("configured")
        return bool(self.keys)

    async def seal(self) -> bytes:
        await self._answer("seal")
        return b"s" * 32

    async def _answer(self, asked: str) -> None:
        self.asked.append(asked)
        await asyncio.sleep(0)
        if self.away:
            raise HearthError("state_unavailable")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not for calls")


@pytest.fixture
def store() -> FakeKeyring:
    store = FakeKeyring()
    store.keys[secret.digest(SECRET)] = KEY
    return store


@pytest.fixture
def time() -> Turned:
    return Turned()


@pytest.fixture
def keys(store: FakeKeyring, time: Turned) -> Lookup:
    return Lookup(store, time.clock)


async def unavailable(ask: Callable[[], Any]) -> bool:
    with pytest.raises(HearthError) as told:
        await ask()
    return told.value.code == "state_unavailable"


async def test_the_store_is_asked_once_for_all_who_come_in_two_seconds(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    assert await asyncio.gather(*(keys.by_secret(SECRET) for _ in range(100))) == [KEY] * 100
    time.turn(FRESH_S - 0.1)
    assert await keys.by_secret(SECRET) == KEY
    assert len(store.asked) == 1
    time.turn(0.2)
    assert await keys.by_secret(SECRET) == KEY
    assert len(store.asked) == 2


async def test_a_revoked_key_ends_within_two_seconds(keys: Lookup, store: FakeKeyring, time: Turned) -> None:
    assert await keys.by_secret(SECRET) == await keys.by_id("key_a") == KEY
    store.keys[secret.digest(SECRET)] = Key(id="key_a", name="a", namespace="a", revoked=1.0)
    time.turn(FRESH_S)
    assert await keys.by_secret(SECRET) is None
    assert await keys.by_id("key_a") is None


async def test_a_key_ends_when_it_expires_also_within_what_is_known(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    store.keys[secret.digest(SECRET)] = Key(id="key_a", name="a", namespace="a", expires=time.now + 1)
    assert await keys.by_secret(SECRET) is not None
    time.turn(1)
    assert await keys.by_secret(SECRET) is None
    assert len(store.asked) == 1


async def test_an_unknown_secret_is_asked_for_once_too(keys: Lookup, store: FakeKeyring) -> None:
    unknown = secret.fresh()
    for _ in range(3):
        assert await keys.by_secret(unknown) is None
    assert len(store.asked) == 1


async def test_what_can_be_no_secret_is_asked_of_nobody(keys: Lookup, store: FakeKeyring) -> None:
    for text in ("", "sk-other", "key_a", secret.digest(SECRET)):
        assert await keys.by_secret(text) is None
    assert store.asked == []


async def test_many_unknown_secrets_drive_no_good_key_out(
    keys: Lookup, store: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_MOST", 10)
    await keys.by_secret(SECRET)
    for _ in range(100):
        await keys.by_secret(secret.fresh())
    asked = len(store.asked)
    assert await keys.by_secret(SECRET) == KEY
    assert len(store.asked) == asked
    assert len(keys._missing) == 10


async def test_without_its_store_a_key_known_lately_works_for_five_minutes(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    await keys.by_secret(SECRET)
    store.away = True
    time.turn(TRUST_S - 1)
    assert await keys.by_secret(SECRET) == KEY
    time.turn(1)
    assert await unavailable(lambda: keys.by_secret(SECRET))
    store.away = False
    time.turn(1)
    assert await keys.by_secret(SECRET) == KEY


async def test_without_its_store_an_unknown_secret_is_neither_good_nor_bad(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    unknown = secret.fresh()
    await keys.by_secret(unknown)
    store.away = True
    time.turn(FRESH_S)
    assert await unavailable(lambda: keys.by_secret(unknown))
    assert await unavailable(lambda: keys.by_secret(SECRET))
    assert await unavailable(keys.wanted)


async def test_a_store_that_is_away_is_not_waited_for_by_everybody(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    store.away = True
    for _ in range(50):
        assert await unavailable(lambda: keys.by_secret(secret.fresh()))
    assert len(store.asked) == 1


async def test_the_admin_key_works_without_any_store(store: FakeKeyring, time: Turned) -> None:
    store.away = True
    keys = Lookup(store, time.clock, admin_key="correct horse")
    assert await keys.by_secret("correct horse") is ADMIN
    assert await keys.by_secret("correct hors") is None
    assert await keys.by_id("admin") is ADMIN
    assert await keys.wanted()


async def test_no_admin_key_is_no_admin(keys: Lookup) -> None:
    assert await keys.by_id("admin") is None
    assert await keys.by_secret("") is None


async def test_a_key_is_wanted_from_the_first_one_on_for_ever(keys: Lookup, store: FakeKeyring, time: Turned) -> None:
    added = dict(store.keys)
    store.keys.clear()
    assert not await keys.wanted()
    store.keys.update(added)
    time.turn(FRESH_S)
    assert await keys.wanted()
    # A Redis that came back empty opens the server to nobody.
    store.keys.clear()
    time.turn(FRESH_S)
    assert await keys.wanted()


async def test_all_who_come_at_once_wait_for_one_question(keys: Lookup, store: FakeKeyring, time: Turned) -> None:
    store.keys.clear()
    for asked in (1, 2):
        assert await asyncio.gather(*(keys.wanted() for _ in range(100))) == [False] * 100
        assert len(store.asked) == asked
        time.turn(FRESH_S)


async def test_a_server_without_keys_stays_open_while_its_store_is_away(
    keys: Lookup, store: FakeKeyring, time: Turned
) -> None:
    store.keys.clear()
    assert not await keys.wanted()
    store.away = True
    time.turn(10 * TRUST_S)
    assert not await keys.wanted()


async def test_a_guarded_server_wants_a_key_before_there_is_one(store: FakeKeyring, time: Turned) -> None:
    store.keys.clear()
    assert await Lookup(store, time.clock, guarded=True).wanted()
