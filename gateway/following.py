"""A log that is made of another one: that one is read to its end, also when whoever wrote it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from gateway.errors import HearthError
from gateway.events import Canceled, Event, Failed, Finished, Opened
from gateway.log.base import Logs, Position
from gateway.log.local import Log
from gateway.readers import Readers
from gateway.wire import failure

_LOOK_S: Final = 60.0
_PATIENCE_S: Final = 30.0
"""How long a log that was lost here is looked for: another replica may be about to take it over."""
_PAUSE_S: Final = 0.25


class Follower:
    """Reads a run for one call. It counts as a reader from when it is made until it is closed."""

    def __init__(self, log: Log, logs: Logs, readers: Readers) -> None:
        self._logs = logs
        self._readers = readers
        self._reader = readers.join(log)

    def move(self, log: Log) -> None:
        """Follow another run instead, from its beginning."""
        self.close()
        self._reader = self._readers.join(log)

    def close(self) -> None:
        """Follow no longer; harmless the second time."""
        self._readers.leave(self._reader)

    async def events(self) -> AsyncGenerator[Event]:
        """Every event but the first and the last. Raises HearthError with why the log did not finish."""
        while True:
            reader = self._reader
            for event in reader.take():
                if isinstance(event, Failed | Canceled):
                    raise failure.of(event)
                if not isinstance(event, Opened | Finished):
                    yield event
            if reader.done:
                return
            if reader.log.lost is None:
                await reader.wait(_LOOK_S)
            else:
                await self._find_again()

    async def _find_again(self) -> None:
        """Read on where the log goes on elsewhere. Raises HearthError `cannot_continue`."""
        lost, clock = self._reader.log, asyncio.get_running_loop().time
        after = Position(lost.epoch, self._reader.next - 1) if self._reader.next > lost.first else None
        deadline = clock() + _PATIENCE_S
        while True:
            try:
                log = await self._logs.open(lost.generation.id, lost.generation.owner, after)
                again = self._readers.join(log, after)
                break
            except HearthError as error:
                if not error.row.may_retry or clock() > deadline:
                    raise HearthError("cannot_continue") from None
            await asyncio.sleep(_PAUSE_S)
        self.close()
        self._reader = again
