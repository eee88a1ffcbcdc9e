"""Keys in Redis: one set for all replicas."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gateway.errors import HearthError
from gateway.keys import Key
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

_DEADLINE_S: Final = 0.5
"""How long a call waits for Redis."""
_CONNECTIONS: Final = 2
_FOLDER: Final = Path(__file__).parent / "scripts"


class RedisKeyring:
    """The store that replicas share; see Keyring for what it promises. `clock` gives steady seconds.

    Three hashes, which one server of a Cluster has together: keys by id, ids by digest, and when a key was revoked.
    """

    def __init__(self, address: Address, clock: Callable[[], float], *, prefix: str = "hearth") -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("keys", client, clock, _DEADLINE_S)
        self._keys, self._digests, self._revoked, self._seal = (
            f"{prefix}:{{keyring}}:{what}" for what in ("keys", "digests", "revoked", "seal")
        )
        self._add, self._get = _script("add"), _script("get")

    async def add(self, key: Key, digest: str) -> None:
        written = [key.id, digest, msgspec.json.encode(key)]
        await self._ask(self._link.script(self._add, [self._keys, self._digests], written))

    async def find(self, digest: str) -> Key | None:
        return await self._one(digest, "digest")

    async def get(self, id: str) -> Key | None:
        return await self._one(id, "id")

    async def all(self) -> list[Key]:
        written, revoked = await self._ask(self._both())
        keys = [_key(each, revoked.get(id)) for id, each in written.items()]
        return sorted(keys, key=lambda key: (key.created, key.id))

    async def revoke(self, id: str, now: float) -> Key | None:
        if await self.get(id) is None:
            return None
        # Of two who revoke it the first one is right.
        await self._ask(self._link.run(self._link.client.hsetnx(self._revoked, id, now)))
        return await self.get(id)

    async def configured(self) -> bool:
        return bool(await self._ask(self._link.run(self._link.client.hlen(self._keys))))

    async def seal(self) -> bytes:
        await self._ask(self._link.run(self._link.client.set(self._seal, secrets.token_bytes(32), nx=True)))
        return bytes(await self._ask(self._link.run(self._link.client.get(self._seal))))

    async def close(self) -> None:
        await self._link.close()

    async def _one(self, name: str, kind: str) -> Key | None:
        names = [self._keys, self._digests, self._revoked]
        written, revoked = await self._ask(self._link.script(self._get, names, [name, kind]))
        return None if written is None else _key(written, revoked)

    async def _both(self) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        # In this order: a key that is added and revoked in between is good in this list, and not unknown.
        revoked = await self._link.run(self._link.client.hgetall(self._revoked))
        return await self._link.run(self._link.client.hgetall(self._keys)), revoked

    async def _ask(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except Away as error:
            raise HearthError("state_unavailable") from error


def _key(written: bytes, revoked: bytes | None) -> Key:
    when = None if revoked is None else float(revoked)
    return msgspec.structs.replace(msgspec.json.decode(written, type=Key), revoked=when)


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
