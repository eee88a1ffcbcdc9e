"""Whose secret this is, known in each process for a moment: what every call asks before anything else."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.keyring import secret as secrets
from gateway.keyring.base import Keyring
from gateway.keys import Key

_T = TypeVar("_T")

ADMIN: Final = Key(id="admin", name="admin", namespace="admin", admin=True)
"""Whoever sends the key of the settings."""

FRESH_S: Final = 2.0
"""How long what the store said is not asked again: a revoked key works for that long at most."""
TRUST_S: Final = 300.0
"""How long a key that was good goes on working while the store is away."""
_MOST: Final = 10_000
"""Answers held, of those that found a key, and of those that found none."""
_PAUSE_S: Final = 0.5
"""After the store was away it is asked again no sooner: whoever comes meanwhile waits for nothing."""


class _Seen(NamedTuple):
    key: Key | None
    at: float


class Lookup:
    """Finds keys, and asks the store once for all who ask at the same moment.

    With `guarded` a key is wanted even while none was ever created. A server that listens on a network is guarded, so
    that a store which lost its keys opens it to nobody.
    """

    def __init__(self, keyring: Keyring, clock: Clock, *, admin_key: str | None = None, guarded: bool = False) -> None:
        self._keyring = keyring
        self._now = clock.wall
        self._steady = clock.steady
        self._admin = None if admin_key is None else secrets.digest(admin_key)
        self._found: OrderedDict[str, _Seen] = OrderedDict()
        self._missing: OrderedDict[str, _Seen] = OrderedDict()
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._asking = asyncio.Lock()
        self._wanted = guarded or admin_key is not None
        self._wanted_at = -math.inf
        self._away_at = -math.inf
        self._seal: bytes | None = None

    async def begin(self) -> None:
        """Ask at once what every call depends on: a store that goes away later is one that was heard."""
        with suppress(HearthError):
            await self.wanted()

    async def wanted(self) -> bool:
        """Whether a call needs a key. Once it does, it always will, whatever becomes of the store.

        Raises HearthError `state_unavailable` when the store never said.
        """
        if not self._knows_whether_wanted():
            async with self._asking:
                if not self._knows_whether_wanted():
                    await self._ask_whether_wanted()
        return self._wanted

    def _knows_whether_wanted(self) -> bool:
        return self._wanted or self._steady() - self._wanted_at < FRESH_S

    async def _ask_whether_wanted(self) -> None:
        try:
            self._wanted = await self._ask(self._keyring.configured)
        except HearthError:
            # Nobody creates a key while the store is away: what it said last still holds.
            if self._wanted_at == -math.inf:
                raise
        else:
            self._wanted_at = self._steady()

    async def by_secret(self, text: str) -> Key | None:
        """The key with that secret, if it is good now. Raises HearthError `state_unavailable`."""
        digest = secrets.digest(text)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return ADMIN
        if not secrets.is_one(text):
            return None
        # The store looks for a digest, of which nobody who watches its time can choose the letters.
        return self._good(await self._look(digest, lambda: self._keyring.find(digest)))

    async def by_id(self, id: str) -> Key | None:
        """The key of that id, if it is good now. Raises HearthError `state_unavailable`."""
        if id == ADMIN.id:
            return ADMIN if self._admin is not None else None
        return self._good(await self._look(id, lambda: self._keyring.get(id)))

    async def seal(self) -> bytes:
        """What signs tickets. Raises HearthError `state_unavailable`."""
        if self._seal is None:
            self._seal = await self._ask(self._keyring.seal)
        return self._seal

    def _good(self, key: Key | None) -> Key | None:
        return key if key is not None and key.stands(self._now()) else None

    async def _look(self, name: str, ask: Callable[[], Awaitable[Key | None]]) -> Key | None:
        if (seen := self._known(name, FRESH_S)) is not None:
            return seen.key
        async with self._lines.setdefault(name, asyncio.Lock()):
            if (seen := self._known(name, FRESH_S)) is not None:
                return seen.key
            try:
                key = await self._ask(ask)
            except HearthError:
                seen = self._known(name, TRUST_S)
                if seen is None or seen.key is None:
                    raise
                return seen.key
            self._note(name, key)
            return key

    async def _ask(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        if self._steady() - self._away_at < _PAUSE_S:
            raise HearthError("state_unavailable")
        try:
            return await ask()
        except HearthError:
            self._away_at = self._steady()
            raise

    def _known(self, name: str, seconds: float) -> _Seen | None:
        seen = self._found.get(name) or self._missing.get(name)
        return seen if seen is not None and self._steady() - seen.at < seconds else None

    def _note(self, name: str, key: Key | None) -> None:
        # Apart, so that whoever tries many secrets drives no good one out.
        self._found.pop(name, None)
        self._missing.pop(name, None)
        answers = self._missing if key is None else self._found
        answers[name] = _Seen(key, self._steady())
        if len(answers) > _MOST:
            answers.popitem(last=False)
