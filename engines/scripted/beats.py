"""The scripted engine's steps: with each, everybody who speaks says a token, as in a batch."""

from __future__ import annotations

import asyncio

from engines.errors import EngineError
from engines.pouring import Take
from engines.scripted.speech import Speech


class Beats:
    """Beats every so many seconds while anybody speaks; with 0 as often as the loop turns."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._speaking: dict[asyncio.Future[None], tuple[Speech, Take]] = {}
        self._coming: set[asyncio.Future[None]] = set()
        self._beating = False
        self._at = 0.0

    async def play(self, speech: Speech, take: Take) -> None:
        """Have it said to its end: the first token at once, the others with the beats. Raises what `take` raises."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        self._coming.add(over)
        try:
            # A real engine speaks from another process: the loop runs at least once before a token.
            await asyncio.sleep(0)
        finally:
            self._coming.discard(over)
        if self._say(over, speech, take):
            self._speaking[over] = speech, take
            if not self._beating:
                self._beating, self._at = True, loop.time()
                self._arm(loop)
        try:
            await over
        finally:
            self._speaking.pop(over, None)

    def fail(self, error: EngineError) -> None:
        """End all that is being said with that error."""
        for over in (*self._speaking, *self._coming):
            if not over.done():
                over.set_exception(error)
        self._speaking.clear()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        # Beats that a busy loop missed are left out.
        self._at = max(self._at + self._seconds, loop.time())
        if self._seconds:
            loop.call_at(self._at, self._beat, loop)
        else:
            loop.call_soon(self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        for over, (speech, take) in list(self._speaking.items()):
            if not self._say(over, speech, take):
                self._speaking.pop(over, None)
        self._beating = bool(self._speaking)
        if self._beating:
            self._arm(loop)

    def _say(self, over: asyncio.Future[None], speech: Speech, take: Take) -> bool:
        """Say a token; whether there are more."""
        if over.done():
            return False
        try:
            for delta in speech.next():
                take(delta)
        except Exception as error:  # noqa: BLE001
            # It is its caller's business, and must not stop the others.
            over.set_exception(error)
            return False
        if not speech.goes_on:
            over.set_result(None)
        return speech.goes_on
