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


class Following:
    """Reads the logs of shared runs."""

    def __init__(self, logs: Logs, readers: Readers) -> None:
        self._logs = logs
        self._readers = readers

    async def events(self, log: Log) -> AsyncGenerator[Event]:
        """Every event but the first and the last. Raises HearthError with why the log did not finish."""
        after: Position | None = None
        while True:
            with self._readers.reading(log, after) as reader:
                while True:
                    for event in reader.take():
                        if isinstance(event, Failed | Canceled):
                            raise failure.of(event)
                        if not isinstance(event, Opened | Finished):
                            yield event
                    if reader.done:
                        return
                    if log.lost is not None:
                        break
                    await reader.wait(_LOOK_S)
                if reader.next > log.first:
                    after = Position(log.epoch, reader.next - 1)
            log = await self._find_again(log, after)

    async def _find_again(self, lost: Log, after: Position | None) -> Log:
        """The log as it goes on elsewhere. Raises HearthError `cannot_continue`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE_S
        while True:
            try:
                return await self._logs.open(lost.generation.id, lost.generation.owner, after)
            except HearthError as error:
                if not error.row.may_retry or clock() > deadline:
                    raise HearthError("cannot_continue") from None
            await asyncio.sleep(_PAUSE_S)
