"""Both clients behind one asynchronous face."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, Literal

from fake_hearth import GENERATION
from hearth_client import AsyncHearth, Event, Hearth, Patience

HASTE = Patience(retries=3, backoff=0.001, longest=0.01, silence=0.3)


class Sync:
    """The threaded client, each call in a thread."""

    def __init__(self, url: str, patience: Patience) -> None:
        self.hearth = Hearth(url, "key", patience=patience)

    async def watch(
        self, after: str | None, transport: Literal["sse", "ws"], seen: list[Event], generation: str = GENERATION
    ) -> None:
        def run() -> None:
            for event in self.hearth.watch(generation, after, transport):
                seen.append(event)

        await asyncio.to_thread(run)

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        return await asyncio.to_thread(getattr(self.hearth, name), *args, **options)

    async def close(self) -> None:
        self.hearth.close()


class Async:
    """The asyncio client."""

    def __init__(self, url: str, patience: Patience) -> None:
        self.hearth = AsyncHearth(url, "key", patience=patience)

    async def watch(
        self, after: str | None, transport: Literal["sse", "ws"], seen: list[Event], generation: str = GENERATION
    ) -> None:
        async with aclosing(self.hearth.watch(generation, after, transport)) as events:
            async for event in events:
                seen.append(event)

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        return await getattr(self.hearth, name)(*args, **options)

    async def close(self) -> None:
        await self.hearth.close()
