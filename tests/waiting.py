"""Waiting in tests: for a thing that happens, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(happened: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let the loop run until it happened; a TimeoutError when it did not in that time."""
    async with asyncio.timeout(seconds):
        # What tests wait for is the state of parts that set no event for it.
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0)
