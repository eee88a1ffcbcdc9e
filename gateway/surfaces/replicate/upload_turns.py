"""Whose upload goes next: so many at once, and a part of them for any one key. Keys take turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import HearthError
from gateway.limits.line import Line

_SHARE: Final = 4
"""One key has one in so many turns at most, whoever else is there: others find room at once."""


class Turns:
    """`at_once` turns. Whoever finds none waits for `wait_s` at most, and `waiting` do so at most."""

    def __init__(self, at_once: int = 64, waiting: int = 1000, wait_s: float = 30.0) -> None:
        self._at_once = at_once
        self._most = waiting
        self._wait_s = wait_s
        self._running: Counter[str] = Counter()
        """How many turns each key has."""
        self._line = Line()
        self._places: dict[str, _Place] = {}
        self._came = 0

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncGenerator[None]:
        """Have a turn. Raises HearthError `overloaded` when none came in time, or as many wait as may."""
        if not self._line and self._may_begin(key):
            self._begin(key)
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._end(key)

    async def _wait(self, key: str) -> None:
        holder, place = self._join(key)
        self._go()
        try:
            async with asyncio.timeout(self._wait_s):
                if not await place.given:
                    raise HearthError("overloaded")
        except TimeoutError:
            self._give_up(holder, place)
            raise HearthError("overloaded") from None
        except asyncio.CancelledError:
            self._give_up(holder, place)
            raise

    def _join(self, key: str) -> tuple[str, _Place]:
        """A place in the line; where it is full, that of the key which has most."""
        if len(self._line) >= self._most:
            last = self._line.makes_room(key)
            if last is None:
                raise HearthError("overloaded")
            self._line.leave(last)
            self._places.pop(last).given.set_result(False)
        self._came += 1
        holder, place = str(self._came), _Place(key)
        self._line.join(holder, key)
        self._places[holder] = place
        return holder, place

    def _give_up(self, holder: str, place: _Place) -> None:
        """It waits no longer; a turn that it was given meanwhile goes to the next."""
        self._line.leave(holder)
        self._places.pop(holder, None)
        if place.given.done() and not place.given.cancelled() and place.given.result():
            self._end(place.key)

    def _go(self) -> None:
        """Let all begin who may now."""
        for holder in self._line.order():
            place = self._places[holder]
            if self._may_begin(place.key):
                self._line.leave(holder)
                del self._places[holder]
                self._begin(place.key)
                place.given.set_result(True)

    def _may_begin(self, key: str) -> bool:
        return self._running.total() < self._at_once and self._running[key] < self._at_once // _SHARE

    def _begin(self, key: str) -> None:
        self._running[key] += 1
        self._line.note_turn(key)

    def _end(self, key: str) -> None:
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
        self._go()


class _Place:
    """One that waits."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.given: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """True once it has its turn, False when it had to make room."""
