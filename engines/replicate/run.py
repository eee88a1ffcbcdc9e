"""One prediction: begun once, followed to its end, or left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from engines.base import JSON
from engines.errors import EngineError
from engines.replicate.hosted import Hosted
from engines.replicate.output import rest, text
from engines.replicate.platform import Platform
from engines.replicate.wire import Prediction

_LEAVE_S: Final = 30.0
"""How long it may take to cancel a prediction."""

_log = logging.getLogger(__name__)


class Run:
    """A prediction on the platform. Whoever makes one calls `leave` at the end, whatever happened."""

    def __init__(self, platform: Platform, hosted: Hosted, asked: dict[str, JSON], poll_s: float) -> None:
        self._platform = platform
        self._schema = hosted.schema
        self._poll_s = poll_s
        self._asked_at = asyncio.get_running_loop().time()
        # A task of its own: the call goes on when nobody waits for it, for what it begins must be canceled.
        self._creating = asyncio.create_task(
            platform.create(hosted.path, hosted.body | {"input": asked, "stream": hosted.schema.speaks}),
            name="prediction",
        )
        self._prediction: Prediction | None = None
        self._streams = hosted.schema.speaks
        self.told = 0
        """How many pieces of its output were given."""
        self._text = ""
        self._waiting: asyncio.Timeout | None = None
        self._left = False

    @property
    def prediction(self) -> Prediction:
        """What is known of it; there is none before `begin` returned."""
        assert self._prediction is not None
        return self._prediction

    @property
    def ended(self) -> bool:
        """Whether the platform said that it is over."""
        return self._prediction is not None and self._prediction.ended

    @property
    def said(self) -> str:
        """Its output so far, as far as the platform told it when it was last looked at."""
        return text(self.prediction.output, speaks=self._schema.speaks)

    @property
    def waited_s(self) -> float:
        """How long ago it was asked for."""
        return asyncio.get_running_loop().time() - self._asked_at

    async def begin(self) -> None:
        """Wait until the platform has taken it. Raises EngineError."""
        try:
            async with self._wait():
                self._prediction = await asyncio.shield(self._creating)
        except EngineError as error:
            if error.parameter is not None:
                error.parameter = self._schema.parameter(error.parameter)
            raise

    async def look(self) -> None:
        """Learn how it stands. Raises EngineError."""
        async with self._wait():
            self._prediction = await self._platform.look(self.prediction.id)

    async def pause(self) -> None:
        """Let some time pass before the next look."""
        async with self._wait():
            await asyncio.sleep(self._poll_s)

    async def pieces(self, patience_s: float) -> AsyncGenerator[str]:
        """Its output as text, piece by piece, to its end; an empty one tells now and then that it waits for longer.

        Raises EngineError.
        """
        while True:
            if self._streams and not self._text and self.prediction.urls.stream:
                async with aclosing(self._streamed(self.prediction.urls.stream, patience_s)) as pieces:
                    async for piece in pieces:
                        yield self._tell(piece)
            await self.look()
            # What is not in pieces is whole only at the end. What a broken stream owes comes from here too.
            if (self._schema.speaks or self.ended) and (piece := rest(self._text, self.said)):
                yield self._tell(piece)
            if self.ended:
                return
            if self.prediction.status == "starting" and self.waited_s >= patience_s:
                yield ""
            await self.pause()

    async def leave(self) -> None:
        """Have the platform end it, if it has not; whoever waits for it gets EngineError `engine_died`."""
        self._left = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(_LEAVE_S):
                if self._prediction is None:
                    self._prediction = await self._creating
                if not self._prediction.ended:
                    await self._platform.cancel(self._prediction.id)
        except (EngineError, TimeoutError) as error:
            if self._prediction is not None:
                _log.warning("the prediction %s could not be canceled: %s", self._prediction.id, error)

    def _tell(self, piece: str) -> str:
        self.told += 1
        self._text += piece
        return piece

    async def _streamed(self, url: str, patience_s: float) -> AsyncGenerator[str]:
        """What its stream says, until that ends, or has not begun for so long."""
        patience: float | None = patience_s
        async with aclosing(self._platform.stream(url)) as events:
            while True:
                try:
                    async with self._wait(patience):
                        event = await anext(events, None)
                except TimeoutError:
                    return
                if event is None:
                    return
                patience = None
                if event.name == "output" and event.data:
                    yield event.data
                elif event.name in ("done", "error"):
                    self._streams = False
                    return

    @asynccontextmanager
    async def _wait(self, seconds: float | None = None) -> AsyncIterator[None]:
        """What is waited for inside ends when the prediction is left. Raises TimeoutError after so many seconds."""
        if self._left:
            raise _stopped()
        try:
            async with asyncio.timeout(seconds) as self._waiting:
                yield
        except TimeoutError:
            if not self._left:
                raise
            raise _stopped() from None
        finally:
            self._waiting = None


def _stopped() -> EngineError:
    return EngineError("engine_died", "The engine was stopped.")
