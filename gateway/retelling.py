"""What is being waited for is said again while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing


async def retold(told: AsyncGenerator[str], seconds: float) -> AsyncGenerator[str]:
    """Everything that is told, as it comes, and the last of it once more after each silence of so many seconds.

    Closes what it reads. While that has nothing to tell no task is made.
    """
    async with aclosing(told):
        latest = await anext(told, None)
        while latest is not None:
            yield latest
            coming = asyncio.ensure_future(anext(told, None))
            try:
                while not (await asyncio.wait([coming], timeout=seconds))[0]:
                    yield latest
                latest = coming.result()
            finally:
                coming.cancel()
                # Also takes note of an error that nobody waits for any more.
                await asyncio.gather(coming, return_exceptions=True)
