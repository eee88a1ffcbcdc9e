"""Entries in Redis: what one replica has answered, all give again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import orjson

from cache.base import Entry, Fresh, Label, Totals, Unavailable, Which
from cache.memory import CLAIM_S, OVERHEAD

_T = TypeVar("_T")

_AT_ONCE: Final = 200
_DAY_MS: Final = 86_400_000
_FOLDER: Final = Path(__file__).parent / "scripts"


class Server(Protocol):
    """The way to Redis, as it is lent to this store."""

    client: Any
    """redis-py's."""

    async def run(self, work: Awaitable[_T]) -> _T:
        """What a command answers. Raises Unavailable."""

    async def script(self, text: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a Lua script answers. Raises Unavailable."""

    async def close(self) -> None:
        """Let go of the connections."""


class RedisCache:
    """The store that replicas share; see Cache for what it promises. `clock` gives unix seconds, for the index alone.

    An entry is a hash of its own, which expires by itself. Beside them stands one index: what was asked for when, until
    when it is good, how large it is and whose. The index may lag behind or be lost; the entries are good without it.
    """

    def __init__(
        self,
        server: Server,
        most_bytes: int,
        *,
        prefix: str = "hearth",
        claim_s: float = CLAIM_S,
        sweep_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.available = True
        """A Fallback watches over that."""
        self._server = server
        self._most_bytes = most_bytes
        self._claim_ms = round(claim_s * 1000)
        self._sweep_ms = round(sweep_s * 900)
        self._prefix = prefix
        self._clock = clock
        index = f"{prefix}:{{cache}}"
        self._index = [f"{index}:used", f"{index}:until", f"{index}:facts", f"{index}:bytes"]
        self._sweeper = f"{index}:sweeper"
        self._used: dict[str, float] = {}
        """What was asked for since the index was told."""
        self._scripts = {name: (_FOLDER / f"{name}.lua").read_text() for name in _NAMES}

    async def claim(
        self, key: str, generation: str, fresh: Fresh, label: Label, instead: str | None = None
    ) -> Entry | None:
        most = "" if fresh.max_age_s is None else round(fresh.max_age_s * 1000)
        told = [generation, instead or "", most, round(fresh.min_ttl_s * 1000), self._claim_ms]
        entry = self._entry(key, await self._script("claim", [self._key(key)], told))
        if entry is None:
            _, until, facts, _ = self._index
            forget_at = round(self._clock() * 1000) + _DAY_MS
            await self._script("mark", [until, facts], [key, forget_at, orjson.dumps([0, *label])])
        return entry

    async def look(self, key: str) -> Entry | None:
        return self._entry(key, await self._script("look", [self._key(key)], []))

    async def keep(self, key: str, generation: str, answer: bytes, ttl_s: float) -> bool:
        size, ttl_ms = len(answer) + OVERHEAD, max(1, round(ttl_s * 1000))
        if size > self._most_bytes:
            await self.release(key, generation)
            return False
        if not await self._script("keep", [self._key(key)], [generation, answer, ttl_ms]):
            return False
        now = round(self._clock() * 1000)
        await self._script("note", self._index, [key, now, now + ttl_ms, size])
        return True

    async def release(self, key: str, generation: str) -> None:
        if await self._script("release", [self._key(key)], [generation]):
            await self._forget([key])

    async def renew(self, claims: dict[str, str]) -> None:
        for key, generation in claims.items():
            await self._script("renew", [self._key(key)], [generation, self._claim_ms])

    async def purge(self, which: Which) -> int:
        purged = 0
        async for found, label in self._facts(which.fingerprint):
            if which.means(found, label):
                purged += await self._script("drop", [self._key(found)], [])
                await self._forget([found])
        return purged

    async def totals(self) -> Totals:
        client, (used, _, _, total) = self._server.client, self._index
        return Totals(await self._server.run(client.zcard(used)), int(await self._server.run(client.get(total)) or 0))

    async def sweep(self) -> None:
        client = self._server.client
        try:
            if self._used:
                used, self._used = self._used, {}
                await self._server.run(client.zadd(self._index[0], used, xx=True))
            if not self._sweep_ms or await self._server.run(client.set(self._sweeper, 1, nx=True, px=self._sweep_ms)):
                await self._keep_to_budget()
        except Unavailable:
            return  # Answers expire by themselves; the next sweep tries again.

    async def close(self) -> None:
        await self._server.close()

    async def _keep_to_budget(self) -> None:
        client, (used, until, _, total) = self._server.client, self._index
        now = round(self._clock() * 1000)
        while gone := await self._server.run(client.zrangebyscore(until, "-inf", now, start=0, num=_AT_ONCE)):
            await self._forget(gone)
        held = int(await self._server.run(client.get(total)) or 0)
        while held > self._most_bytes and (oldest := await self._server.run(client.zrange(used, 0, _AT_ONCE))):
            for key in oldest:
                if held > self._most_bytes:
                    held = await self._drop(key.decode())
        if held > self._most_bytes:
            # Nothing is left that the sum could be of.
            await self._server.run(client.delete(total))

    async def _drop(self, key: str) -> int:
        """Let go of an answer, and of what the index says of it; the bytes that are left."""
        await self._script("drop", [self._key(key)], [])
        return await self._forget([key])

    async def _forget(self, keys: Sequence[Any]) -> int:
        return int(await self._script("forget", self._index, keys))

    async def _facts(self, key: str | None) -> Any:
        """What the index says: each key with its label."""
        client, facts = self._server.client, self._index[2]
        if key is not None:
            if found := await self._server.run(client.hget(facts, key)):
                yield key, Label(*orjson.loads(found)[1:])
            return
        cursor = 0
        while True:
            cursor, page = await self._server.run(client.hscan(facts, cursor, count=_AT_ONCE))
            for name, found in page.items():
                yield name.decode(), Label(*orjson.loads(found)[1:])
            if not cursor:
                return

    def _entry(self, key: str, told: Sequence[Any]) -> Entry | None:
        if not told:
            return None
        generation, age_ms, left_ms, *answer = told
        if answer and answer[0] is not None:
            self._used[key] = round(self._clock() * 1000)
            return Entry(generation.decode(), max(0, age_ms) / 1000, max(0, left_ms) / 1000, answer[0])
        return Entry(generation.decode(), max(0, age_ms) / 1000, max(0, left_ms) / 1000)

    async def _script(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return await self._server.script(self._scripts[name], keys, arguments)

    def _key(self, key: str) -> str:
        return f"{self._prefix}:cached:{key}"


_NAMES: Final = ("claim", "look", "keep", "release", "renew", "mark", "note", "forget", "drop")
