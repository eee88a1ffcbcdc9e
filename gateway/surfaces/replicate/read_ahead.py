"""What a client sends before its turn has come."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from starlette.types import Message, Receive

_HELD: Final = 16 << 10
"""Bytes of a body that are taken before its turn; whoever sends more is seen to leave only at its turn."""


class Ahead:
    """A request's messages: those that were looked at are held, and are received first."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._held: deque[Message] = deque()
        self._size = 0

    async def look(self) -> Message:
        """The next message, which is received later all the same. When enough are held, it waits until it is ended."""
        if self._size >= _HELD:
            await asyncio.get_running_loop().create_future()
        message = await self._receive()
        self._held.append(message)
        self._size += len(message.get("body", b""))
        return message

    async def receive(self) -> Message:
        """The next message."""
        return self._held.popleft() if self._held else await self._receive()
