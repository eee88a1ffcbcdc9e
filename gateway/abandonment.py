"""A run that nobody reads is stopped: at once, after a grace, or never, as it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.log.base import Logs, Writer

FIRST_READER_S: Final = 5.0
"""How long a run that needs a reader waits for its first one."""
_ASK_AGAIN_S: Final = 2.0
"""How often it is asked whether somebody reads elsewhere, at most."""


class Abandonment:
    """Counts the readers of one run, here and elsewhere, and calls `stop` when nobody came back in time."""

    def __init__(self, writer: Writer, logs: Logs, stop: Callable[[], None]) -> None:
        self._writer = writer
        self._logs = logs
        self._stop = stop
        self._grace = writer.log.generation.grace
        self.timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        """Finds out whether somebody reads elsewhere."""

    def watch(self) -> None:
        """Begin to count."""
        log = self._writer.log
        log.on_readers = self._readers_changed
        if not log.readers and self._grace is not None:
            self._leave_after(max(self._grace, FIRST_READER_S))

    def end(self) -> None:
        """Count no more: whoever reads from now on is no concern of the run, which the log would keep in memory."""
        self._writer.log.on_readers = lambda count: None
        self._stop = lambda: None
        if self.timer is not None:
            self.timer.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def _readers_changed(self, count: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if count == 0 and self._grace is not None:
            self._leave_after(self._grace)

    def _leave_after(self, seconds: float) -> None:
        if seconds == 0:
            self._leave()
        else:
            self.timer = asyncio.get_running_loop().call_later(seconds, self._leave)

    def _leave(self) -> None:
        if not self._logs.shared:
            self._stop()
        elif self._asking is None or self._asking.done():
            name = f"leave {self._writer.log.generation.id}"
            self._asking = asyncio.create_task(self._leave_unless_followed(), name=name)

    async def _leave_unless_followed(self) -> None:
        followed = await self._logs.followed(self._writer)
        assert self._grace is not None
        if self._writer.log.readers:
            return
        # While that cannot be known, a stream that may be resumed goes on, and one that may not does not.
        if followed or (followed is None and self._grace > 0):
            self.timer = asyncio.get_running_loop().call_later(max(self._grace, _ASK_AGAIN_S), self._leave)
        else:
            self._stop()
