"""A client that repeats a call which was heard, because it did not hear the answer, gets what it began with that.

Python 2 says that it repeats (`x-stainless-retry-count`). Node does not: it repeats up to five times at once after an
answer that broke off. No client sends an idempotency key.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import orjson
from starlette.requests import Request

from gateway.claims.base import Claim, Claims

_TOLD_S: Final = 120.0
"""How long after a call one that says it repeats it is taken to."""
_UNTOLD_S: Final = 5.0
"""How long after a caller left one that says the same is taken to be it."""
_MOST: Final = 4096


class Retries:
    """What was begun lately, by whom and with what words. `now` gives steady seconds."""

    def __init__(self, claims: Claims, now: Callable[[], float]) -> None:
        self._claims = claims
        self._now = now
        self._left: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Calls whose callers left before they were answered: what those began, and when they left."""

    async def earlier(self, request: Request, name: str) -> str | None:
        """The generation that a call of that name began, where this one repeats it."""
        id, at = self._left.pop(name, (None, 0.0))
        if id is not None and self._now() - at < _UNTOLD_S:
            return id
        if not _repeats(request):
            return None
        held = await self._claims.claim(name, Claim("", name))
        return held.generation or None if held is not None and held.age_s < _TOLD_S else None

    async def began(self, name: str, generation: str) -> None:
        """A call of that name began this generation."""
        instead = None
        while (held := await self._claims.claim(name, Claim(generation, name), instead)) is not None:
            instead = held.generation

    def left(self, name: str, generation: str) -> None:
        """Its caller has left without an answer."""
        self._left[name] = (generation, self._now())
        while len(self._left) > _MOST:
            self._left.popitem(last=False)


def name_of(owner: str, path: str, body: dict[str, Any]) -> str:
    """What two calls have in common that may be one."""
    said = orjson.dumps([owner, path, body], option=orjson.OPT_SORT_KEYS)
    return "create." + hashlib.sha256(said).hexdigest()


def _repeats(request: Request) -> bool:
    return request.headers.get("x-stainless-retry-count", "0") not in ("", "0")
