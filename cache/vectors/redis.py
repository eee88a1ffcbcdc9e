"""Questions in Redis, where it has vector sets (version 8 and later): what one replica was asked, all find."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from cache.base import Label, Which
from cache.redis import Server
from cache.vectors.base import MOST_NEAR, Near, Vectors

MOST: Final = 10_000
"""Questions in one place; past it any one goes."""

_AT_ONCE: Final = 200
_SCRIPTS: Final = ("add", "near", "purge")
_FOLDER: Final = Path(__file__).parent / "scripts"

_log = logging.getLogger(__name__)


class RedisVectors:
    """The index that replicas share; see Vectors for what it promises. `clock` gives unix seconds.

    A place is a vector set of its own, which expires with its last question. One index beside them says whose they are.
    A Redis without vector sets is told in the log, once, and `instead` is used.
    """

    def __init__(
        self,
        server: Server,
        instead: Vectors,
        *,
        prefix: str = "hearth",
        most: int = MOST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._instead = instead
        self._prefix = prefix
        self._most = most
        self._clock = clock
        self._places = f"{prefix}:like"
        self._can: bool | None = None
        """Whether it searches vectors; None while it was not asked."""
        self._add, self._near, self._purge = [(_FOLDER / f"{name}.lua").read_text() for name in _SCRIPTS]

    async def nearest(self, place: str, vector: bytes, least: float) -> list[Near]:
        if not await self._searches():
            return await self._instead.nearest(place, vector, least)
        told = await self._server.script(self._near, [self._key(place)], [vector, MOST_NEAR])
        found = [_near(told[start : start + 3]) for start in range(0, len(told), 3)]
        return [near for near in found if near.similarity >= least]

    async def add(self, place: str, fingerprint: str, text: str, vector: bytes, ttl_s: float, label: Label) -> None:
        if not await self._searches():
            return await self._instead.add(place, fingerprint, text, vector, ttl_s, label)
        ttl_ms = round(ttl_s * 1000)
        attributes = orjson.dumps({"text": text, "key": label.key})
        await self._server.script(self._add, [self._key(place)], [vector, fingerprint, attributes, ttl_ms, self._most])
        client, now = self._server.client, round(self._clock() * 1000)
        member = orjson.dumps([label.namespace, label.model, place])
        await self._server.run(client.zadd(self._places, {member: now + ttl_ms}, gt=True))
        await self._server.run(client.zremrangebyscore(self._places, "-inf", now))

    async def remove(self, place: str, fingerprint: str) -> None:
        if not await self._searches():
            return await self._instead.remove(place, fingerprint)
        await self._server.run(self._server.client.execute_command("VREM", self._key(place), fingerprint))

    async def purge(self, which: Which) -> int:
        if not await self._searches():
            return await self._instead.purge(which)
        purged = cursor = 0
        while True:
            cursor, page = await self._server.run(self._server.client.zscan(self._places, cursor, count=_AT_ONCE))
            for member, _ in page:
                of_namespace, of_model, place = orjson.loads(member)
                if which.namespace in (None, of_namespace) and which.model in (None, of_model):
                    purged += int(
                        await self._server.script(
                            self._purge, [self._key(place)], [which.fingerprint or "", which.key or ""]
                        )
                    )
            if not cursor:
                return purged

    async def close(self) -> None:
        await self._server.close()
        await self._instead.close()

    async def _searches(self) -> bool:
        if self._can is None:
            told = await self._server.run(self._server.client.execute_command("COMMAND INFO", "VSIM"))
            self._can = any(told)
            if not self._can:
                _log.warning("this Redis has no vector sets (version 8 has): each replica finds its own like questions")
        return self._can

    def _key(self, place: str) -> str:
        return f"{self._prefix}:like:{place}"


def _near(told: Sequence[Any]) -> Near:
    fingerprint, score, attributes = told
    # Its score is 1 for the same direction and 0 for the opposite one.
    return Near(fingerprint.decode(), orjson.loads(attributes)["text"], 2 * float(score) - 1)
