"""An event loop whose time leaps to the next moment at which anything is due, for tests of days and weeks."""

from __future__ import annotations

import asyncio
import selectors


class LeapingLoop(asyncio.SelectorEventLoop):
    """Nobody ever waits: `asyncio.sleep(3600)` ends at once, and an hour has passed. `time()` begins at `now`."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        super().__init__(_Leaping(self))
        # What is due now is due, though a float of unix seconds is no finer than this.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.now


class _Leaping(selectors.DefaultSelector):
    def __init__(self, loop: LeapingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("Everybody waits, and nothing is due.")
        if not ready and timeout:
            self._loop.now += timeout
        return ready
