"""Pieces on their way from one task to another, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Cut(Exception):
    """Nothing follows, and what came is no whole."""


class Pipe:
    """One task gives, another iterates; whoever gives waits until there is room."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._cut = False
        self._left = False

    async def give(self, piece: bytes | None) -> bool:
        """Hand on a piece, or with None the end; False when nobody takes any more."""
        if not self._left:
            await self._pieces.put(piece)
        return not self._left

    def cut(self) -> None:
        """Have whoever iterates meet `Cut`."""
        self._cut = True
        self._empty()
        self._pieces.put_nowait(None)

    def leave(self) -> None:
        """Nobody iterates any more."""
        self._left = True
        self._empty()

    def _empty(self) -> None:
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._pieces.get()
        if self._cut:
            raise Cut
        if piece is None:
            raise StopAsyncIteration
        return piece
