"""One prediction, seen to its end: its log is read, how it ended is written down, and its caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from typing import Final, NamedTuple, TypeVar

import msgspec

from gateway.errors import HearthError
from gateway.log.local import Log, Reader
from gateway.predictions.base import Predictions
from gateway.predictions.errand import Errand
from gateway.predictions.record import Ending, Record

_T = TypeVar("_T")

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_LOST: Final = "Its answer was lost when the server stopped."


class Parts(NamedTuple):
    """What it takes to attend to predictions."""

    store: Predictions
    open_log: Callable[[str, str], Awaitable[Log]]
    """The log of a generation and its owner. Raises HearthError: one that may be retried, or it is gone for good."""
    ending: Callable[[Log], Ending]
    """How it ended, by a log that has."""
    errand_for: Callable[[Record], Errand | None]
    """Who tells of it, where anybody wants to hear."""
    now: Callable[[], float]
    """Unix seconds."""


class Attendance:
    """What is done for one record. It waits for a store that is away, and may be cancelled and begun again anywhere."""

    def __init__(self, record: Record, parts: Parts) -> None:
        self.record = record
        """As it is known here."""
        self._parts = parts
        self._errand = parts.errand_for(record)

    async def run(self) -> None:
        """Until whoever wants to hear of its end has heard, or will not."""
        while (log := await self._open()) is not None:
            with closing(log.read(log.first)) as reader:
                if self.record.ending is None:
                    await self._follow(reader)
                if self.record.ending is not None:
                    return await self._tell(reader)
            # It was lost here, and goes on elsewhere.
            await asyncio.sleep(_FIRST_PAUSE_S)
        if self.record.ending is None:
            await self._end(Ending("failed", self._parts.now(), error=_LOST))
        return await self._tell(None)

    async def _open(self) -> Log | None:
        """Its log; None where that is gone."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await self._parts.open_log(self.record.generation, self.record.owner)
            except HearthError as error:
                if not error.row.may_retry:
                    return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _follow(self, reader: Reader) -> None:
        """Tell of what happens until the log has ended, or is lost. How it ended is written down at once, however long
        somebody takes to hear of the rest.
        """
        log = reader.log
        try:
            async with asyncio.TaskGroup() as both:
                if self._errand is not None:
                    both.create_task(self._errand.follow(self.record, reader))
                await self._witness(log)
        except asyncio.CancelledError:
            if log.ended and self.record.ending is None:
                # Whoever goes on may find no log any more.
                with suppress(HearthError):
                    await self._parts.store.ended(self.record.id, self._parts.ending(log))
            raise

    async def _witness(self, log: Log) -> None:
        """Write down how the log ends, unless it is lost before that."""
        with closing(log.read(log.tail + 1)) as watch:
            await watch.end()
        if log.ended:
            await self._end(self._parts.ending(log))

    async def _end(self, ending: Ending) -> None:
        ended = await _patiently(lambda: self._parts.store.ended(self.record.id, ending))
        self.record = ended or msgspec.structs.replace(self.record, ending=ending)

    async def _tell(self, reader: Reader | None) -> None:
        if self._errand is not None:
            await self._errand.complete(self.record, reader)
        await _patiently(lambda: self._parts.store.told(self.record.id))


async def _patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """What the store answers, once it is there."""
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return await ask()
        except HearthError:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
