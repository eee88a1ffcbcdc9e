"""One prediction on a predictor's server: begun once, read to its end, or left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from engines.base import JSON
from engines.cog.server import Busy, CogServer, Event
from engines.errors import EngineError

_BUSY_S: Final = 0.5
"""Between two tries of a server that others keep busy."""
_UNREAD: Final = 64
"""Events that wait to be read; then the server waits."""
_LEAVE_S: Final = 30.0
"""How long one may take to end after it was canceled: a program hears of that only between two steps."""

_log = logging.getLogger(__name__)


class Prediction:
    """A task of its own holds the connection: to drop it cancels what runs, and tells nobody when it has ended.

    Whoever makes one calls `leave` at the end, whatever happened.
    """

    def __init__(self, server: CogServer, id: str, inputs: Mapping[str, JSON], *, streams: bool) -> None:
        self._server = server
        self.id = id
        self._coming: asyncio.Queue[Event | EngineError | None] = asyncio.Queue(_UNREAD)
        self._left = False
        self._running = asyncio.create_task(self._run(inputs, streams), name=f"prediction {id}")

    async def next(self) -> Event | None:
        """The next event, when it comes; None after the last one. Raises EngineError."""
        event = await self._coming.get()
        if isinstance(event, EngineError):
            raise event
        return event

    @property
    def ended(self) -> bool:
        """Whether the server is rid of it."""
        return self._running.done()

    async def leave(self) -> bool:
        """Have it end, if it has not, and wait until it has; whether it did in time."""
        self._left = True
        while not self._coming.empty():
            self._coming.get_nowait()
        try:
            async with asyncio.timeout(_LEAVE_S):
                if not self.ended:
                    await self._server.cancel(self.id)
                await asyncio.shield(self._running)
        except (EngineError, TimeoutError) as error:
            _log.warning("prediction %s could not be canceled: %s", self.id, error or "it goes on")
        finally:
            in_time = self.ended
            self._running.cancel()
            await asyncio.wait([self._running])
        return in_time

    async def _run(self, inputs: Mapping[str, JSON], streams: bool) -> None:
        try:
            while not self._left:
                try:
                    async with aclosing(self._server.predict(self.id, inputs, streams=streams)) as events:
                        async for event in events:
                            await self._tell(event)
                    break
                except Busy:
                    await asyncio.sleep(_BUSY_S)
            await self._tell(None)
        except EngineError as error:
            await self._tell(error)

    async def _tell(self, event: Event | EngineError | None) -> None:
        if not self._left:
            await self._coming.put(event)
