"""Lets go of files whose time is over. Every replica does; what they do twice is harmless."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.errors import HearthError
from gateway.files.store import Files


class Sweeper:
    """Sweeps every so many seconds, from `begin` to `close`."""

    def __init__(self, files: Files, every_s: float = 60.0) -> None:
        self._files = files
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Sweep from now on; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="files")

    async def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            # The store has said in the log what is wrong with it; it is asked again the next time.
            with suppress(HearthError):
                await self._files.sweep()
            await asyncio.sleep(self._every_s)
