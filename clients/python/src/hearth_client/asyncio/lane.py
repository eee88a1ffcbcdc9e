"""One generation on a shared socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from hearth_client import wire
from hearth_client.events import Event
from hearth_client.lanes import Route


class Lane:
    """Iterate over it for its generation's events."""

    def __init__(self, route: Route, send: Callable[[str], Awaitable[None]]) -> None:
        self._route = route
        self._send = send
        self._changed = asyncio.Event()

    @property
    def generation(self) -> str:
        """The generation's id."""
        return self._route.reading.generation

    async def cancel(self) -> None:
        """Stop the generation; its end still arrives here."""
        await self._send(wire.cancel(self._route.lane))

    async def detach(self) -> None:
        """End this lane and leave the generation running."""
        await self._send(wire.detach(self._route.lane))

    async def attached(self) -> None:
        """Wait until the server has answered; raise what it refused with."""
        while not (self._route.attached or self._route.over):
            await self._change()
        if self._route.error is not None:
            raise self._route.error

    def notice(self) -> None:
        """Wake who waits here."""
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._route.events:
            if self._route.error is not None:
                raise self._route.error
            if self._route.over:
                raise StopAsyncIteration
            await self._change()
        return self._route.events.popleft()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
