"""A client that repeats a call which it left without an answer gets what it began with that.

Python 2 says that it repeats (`x-stainless-retry-count`), after a refusal too. Node does not say so: it repeats up to
five times at once after an answer that broke off. No client sends an idempotency key. So what counts is that a caller
left: nothing is remembered of a call that was answered.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson
from starlette.requests import Request

from gateway.claims.base import Claim, Claims
from gateway.keys import Key

_TOLD_S: Final = 120.0
"""How long after its caller left a call that one which says that it repeats is taken to be it."""
_UNTOLD_S: Final = 5.0
"""How long one is that says the same, and no more."""

_LEFT: Final = "left"
_PREFIX: Final = re.compile(r"/replicate(?:/v1){0,2}(?=/)")


class Retries:
    """What was begun by callers who left before they were answered."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    async def left(self, name: str, generation: str) -> None:
        """The caller of a call of that name, which began this generation, has left without an answer."""
        # It may have been left before, and counts from now.
        await self._claims.release(name, generation)
        instead = None
        while (held := await self._claims.claim(name, Claim(generation, _LEFT), instead)) is not None:
            instead = held.generation

    async def earlier(self, request: Request, name: str) -> str | None:
        """The generation that a call of that name began, where this one repeats it. It is told to one repeat only."""
        held = await self._claims.peek(name)
        if held is None or held.digest != _LEFT or held.age_s >= (_TOLD_S if _repeats(request) else _UNTOLD_S):
            return None
        return held.generation if await self._claims.release(name, held.generation) else None


def name_of(key: Key, path: str, body: dict[str, Any]) -> str:
    """What two calls have in common that may be one."""
    said = orjson.dumps([key.namespace, key.id, _PREFIX.sub("", path, 1), body], option=orjson.OPT_SORT_KEYS)
    return "create." + hashlib.sha256(said).hexdigest()


def _repeats(request: Request) -> bool:
    count = request.headers.get("x-stainless-retry-count", "")
    return count.isascii() and count.isdigit() and count.strip("0") != ""
