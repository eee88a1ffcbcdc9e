"""One prediction: begun once, followed to its end, or left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

from engines.base import JSON
from engines.errors import EngineError
from engines.replicate.hosted import Hosted
from engines.replicate.output import rest, text
from engines.replicate.platform import Platform
from engines.replicate.sse import Event
from engines.replicate.wire import Prediction

_LEAVE_S: Final = 30.0
"""How long it may take to cancel a prediction."""

_SILENT: Final = 4
"""Pauses between two looks at a prediction that is streamed and says nothing: many may wait, and looks are counted."""

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
        self._ran_at: float | None = None
        """When it was first seen at work."""
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

    @property
    def ran(self) -> bool:
        """Whether it was seen at work."""
        return self._ran_at is not None

    @property
    def ran_s(self) -> float:
        """For how long it has been seen at work."""
        return 0.0 if self._ran_at is None else asyncio.get_running_loop().time() - self._ran_at

    async def begin(self) -> None:
        """Wait until the platform has taken it. Raises EngineError."""
        try:
            async with self._wait():
                self._learn(await asyncio.shield(self._creating))
        except EngineError as error:
            if error.parameter is not None:
                error.parameter = self._schema.parameter(error.parameter)
            raise

    async def look(self) -> None:
        """Learn how it stands. Raises EngineError."""
        async with self._wait():
            self._learn(await self._platform.look(self.prediction.id))

    async def pause(self) -> None:
        """Let some time pass before the next look."""
        async with self._wait():
            await asyncio.sleep(self._poll_s)

    async def pieces(self) -> AsyncGenerator[str]:
        """Its output as text, piece by piece, to its end; an empty one where it was looked at and said nothing new.

        Raises EngineError.
        """
        while True:
            if self._streams and not self._text and self.prediction.urls.stream:
                async with aclosing(self._streamed(self.prediction.urls.stream)) as pieces:
                    async for piece in pieces:
                        yield self._tell(piece)
            await self.look()
            # What is not in pieces is whole only at the end. What a broken stream owes comes from here too.
            piece = rest(self._text, self.said) if self._schema.speaks or self.ended else ""
            yield self._tell(piece)
            if self.ended:
                return
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

    def _learn(self, prediction: Prediction) -> None:
        self._prediction = prediction
        if prediction.ran:
            self._see()

    def _see(self) -> None:
        if self._ran_at is None:
            self._ran_at = asyncio.get_running_loop().time()

    def _tell(self, piece: str) -> str:
        self.told += bool(piece)
        self._text += piece
        return piece

    async def _streamed(self, url: str) -> AsyncGenerator[str]:
        """What its stream says, until that ends; it is looked at while it was not seen at work."""
        events = self._platform.stream(url)
        coming: asyncio.Future[Event | None] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(events, None))
                async with self._wait():
                    await asyncio.wait([coming], timeout=None if self.ran else _SILENT * self._poll_s)
                if not coming.done():
                    await self._glance()
                    yield ""
                    continue
                event, coming = coming.result(), None
                if event is None:
                    return
                if event.name in ("output", "logs"):
                    self._see()
                    yield event.data if event.name == "output" else ""
                elif event.name in ("done", "error"):
                    self._streams = False
                    return
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])
            await events.aclose()

    async def _glance(self) -> None:
        """Learn how it stands, if that is told at once: what goes wrong is told by its stream, and by the next look."""
        with suppress(EngineError):
            async with self._wait():
                self._learn(await self._platform.look(self.prediction.id, once=True))

    @asynccontextmanager
    async def _wait(self) -> AsyncIterator[None]:
        """What is waited for inside ends when the prediction is left."""
        if self._left:
            raise _stopped()
        try:
            async with asyncio.timeout(None) as self._waiting:
                yield
        except TimeoutError:
            raise _stopped() from None
        finally:
            self._waiting = None


def _stopped() -> EngineError:
    return EngineError("engine_died", "The engine was stopped.")
