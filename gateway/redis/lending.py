"""A link to Redis as the cache wants it, which knows nothing of ours."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from cache.base import Unavailable
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")


class Lent:
    """Runs commands and scripts; that Redis is away is said in the cache's own words."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._scripts: dict[str, Script] = {}
        self.client = link.client

    @property
    def reason(self) -> str | None:
        """Why it is away; None while it is there."""
        return self._link.reason

    async def run(self, work: Awaitable[_T]) -> _T:
        try:
            return await self._link.run(work)
        except Away as away:
            raise Unavailable(str(away)) from None

    async def script(self, text: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        known = self._scripts.get(text)
        if known is None:
            known = self._scripts[text] = Script(text)
        was_up = self._link.up
        try:
            return await self._link.script(known, keys, arguments)
        except Away as away:
            if not was_up:
                raise Unavailable(str(away)) from None
        # One late answer is as likely this process' own slowness, which must not part equal questions. No script of
        # the cache minds being run twice.
        try:
            return await self._link.script(known, keys, arguments)
        except Away as away:
            raise Unavailable(str(away)) from None

    async def close(self) -> None:
        await self._link.close()
