"""What Redis is still to be told."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from gateway.redis.link import Script

_MOST: Final = 4096
_AT_ONCE: Final = 512
_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """A call of a script that says how something ended."""

    script: Script
    keys: list[str]
    arguments: list[Any]


class Backlog:
    """Calls that Redis has not answered, to be made again in their order. Past so many the oldest is given up."""

    def __init__(self) -> None:
        self._calls: deque[Told] = deque()
        self._given_up = 0

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Told) -> None:
        """Keep a call for later."""
        if len(self._calls) == _MOST:
            self._calls.popleft()
            self._given_up += 1
        self._calls.append(call)

    async def work_off(self, ask: Callable[[Script, list[str], list[Any]], Awaitable[Any]]) -> None:
        """Make those that are kept, or the first of many. Raises what `ask` raises, and keeps that one."""
        if self._given_up:
            _log.warning("what %d runs gave back of their limits is lost: Redis was away too long", self._given_up)
            self._given_up = 0
        for _ in range(min(len(self._calls), _AT_ONCE)):
            call = self._calls.popleft()
            try:
                await ask(*call)
            except BaseException:
                # Also when this is stopped: whoever works it off next finds it.
                self._calls.appendleft(call)
                raise
