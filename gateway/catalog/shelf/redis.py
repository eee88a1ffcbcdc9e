"""Documents in Redis: one set for all replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from gateway.catalog.shelf.base import Kind
from gateway.errors import HearthError
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

_DEADLINE_S: Final = 0.5
"""How long a call waits for Redis."""
_CONNECTIONS: Final = 2
_SWAP: Final = Path(__file__).parent / "scripts" / "swap.lua"


class RedisShelf:
    """The store that replicas share; see Shelf for what it promises. `clock` gives steady seconds.

    One hash for each kind, documents by their ids.
    """

    def __init__(self, address: Address, clock: Callable[[], float], *, prefix: str = "hearth") -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("models", client, clock, _DEADLINE_S)
        self._prefix = prefix
        self._swap = Script(_SWAP.read_text())

    async def all(self, kind: Kind) -> dict[str, bytes]:
        found: dict[bytes, bytes] = await self._ask(self._link.run(self._link.client.hgetall(self._name(kind))))
        return {id.decode(): document for id, document in found.items()}

    async def swap(self, kind: Kind, id: str, old: bytes | None, new: bytes | None) -> bool:
        words = [id, *_maybe(old), *_maybe(new)]
        return bool(await self._ask(self._link.script(self._swap, [self._name(kind)], words)))

    async def close(self) -> None:
        await self._link.close()

    def _name(self, kind: Kind) -> str:
        return f"{self._prefix}:{{shelf}}:{kind}"

    async def _ask(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except Away as error:
            raise HearthError("state_unavailable") from error


def _maybe(document: bytes | None) -> tuple[int, bytes]:
    return (0, b"") if document is None else (1, document)
