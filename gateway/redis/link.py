"""One way to Redis: commands with a deadline, and whether it is there."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

_T = TypeVar("_T")
_LATE_S: Final = 0.25
_log = logging.getLogger(__name__)

Client = Redis | RedisCluster


class Away(Exception):
    """Redis cannot be used just now; says why, with no secret in it."""


class StoodStill(Away):
    """This process did, and not Redis: it was frozen, or starved, while it waited. Ask again."""


class Script:
    """A Lua script, sent once and named by its digest afterwards."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """Runs commands, and remembers how the last one went. `clock` gives steady seconds."""

    def __init__(self, name: str, client: Client, clock: Callable[[], float], deadline_s: float) -> None:
        self.client: Any = client
        self.is_cluster = isinstance(client, RedisCluster)
        self.deadline_s = deadline_s
        self.reason: str | None = None
        """Why it is away; None while it is there."""
        self.since = clock()
        """Since when it is there, or away."""
        self.shaken_at = -math.inf
        """When it last gave an answer late, or none."""
        self._name = name
        self._clock = clock

    @property
    def up(self) -> bool:
        return self.reason is None

    async def run(self, work: Awaitable[_T]) -> _T:
        """What the command answers. Raises Away."""
        began, asked = self._clock(), cancels()
        try:
            async with asyncio.timeout(self.deadline_s):
                answer = await work
        except TimeoutError:
            heed_cancel(asked)
            self._check_awake(began)
            raise self._fall("it gave no answer in time") from None
        except (RedisError, RedisClusterException, OSError) as error:
            heed_cancel(asked)
            self._check_awake(began)
            raise self._fall(reason(error)) from None
        heed_cancel(asked)
        if self.reason is not None or self._clock() - began > _LATE_S:
            self.shaken_at = self._clock()
        if self.reason is not None:
            _log.warning("Redis (%s) is back", self._name)
            self.reason, self.since = None, self._clock()
        return answer

    async def script(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a script answers. Raises Away."""
        return await self.run(self._script(script, keys, arguments))

    async def _script(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return await self.client.evalsha(script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self.client.eval(script.text, len(keys), *keys, *arguments)

    def _check_awake(self, began: float) -> None:
        if self._clock() - began > self.deadline_s + _LATE_S:
            self.shaken_at = self._clock()
            raise StoodStill("the answer may have come while nobody looked")

    def _fall(self, reason: str) -> Away:
        self.shaken_at = self._clock()
        if self.reason is None:
            self.since = self.shaken_at
        if self.reason is None:
            _log.warning("Redis (%s) is away: %s", self._name, reason)
        self.reason = reason
        return Away(reason)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.aclose()


def cancels() -> int:
    """How often this task was asked to end. One that bore it may go on, so what counts is that the number grows."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def heed_cancel(before: int = 0) -> None:
    """Raises CancelledError if this task was asked to end since: redis-py may keep that to itself while it connects."""
    if cancels() > before:
        raise asyncio.CancelledError


_LONGEST: Final = 200


def reason(error: Exception) -> str:
    """Why, in one line."""
    # What Redis or the system says names hosts and commands, never passwords.
    text = str(error).strip().rstrip(".").splitlines()
    if isinstance(error, MasterNotFoundError):
        # Its own words show a client's insides.
        return "no Sentinel answers, or none knows a master of that name"
    if "READONLY" in str(error) or "read only replica" in str(error):
        return "it is a replica now, which takes no writes"
    if "used memory > 'maxmemory'" in str(error):
        return "its memory is full"
    return (text[0] if text else type(error).__name__)[:_LONGEST]
